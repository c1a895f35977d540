"""Writes down what this release writes: `python -m tests.formats`.

A file of a release that is out is never changed: what differs from it belongs to the next version, and readers of both
must get along (D17).
"""

from bridge import __version__
from tests.formats.scenario import HERE, WRITTEN, spelled

here = HERE / __version__.rpartition(".")[0]
here.mkdir(exist_ok=True)
for name, write in WRITTEN.items():
    (here / f"{name}.jsonl").write_text(spelled(write()))
    print(here / f"{name}.jsonl")
