"""One module a contestant, each a process of its own: `python -m tests.bench.carry.contestants.NAME JOB`."""
