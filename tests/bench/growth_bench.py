"""What many triggers in one process cost, idle and busy, and whether one with much to do keeps another waiting.

`python -m tests.bench.growth_bench [--rounds N] [--quick] [--json]`. Real processes, one behind the other; `--quick`
is one round without the 1,000. Busy fleets run in twice as many rounds, in an order that turns, behind one that is not
measured; one trigger alone runs first and last in each, and the others are held against the mean of the two. Writes
.bench/growth.json. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.carry.fleet import Fleet, fleet
from tests.bench.carry.platform import PREPARED_MAX, cpu_ns
from tests.bench.carry.race import Track, WrongCountError, count, platform
from tests.bench.carry.results import BATCH_SIZE
from tests.bench.carry.tables import tell
from tests.bench.carry.verdicts import Verdict, at_least, at_most, told
from tests.neighbours.choice import start_kafka, start_redis

ROUNDS = 2
"""Each takes some four minutes, two of them for the two of the busy part."""
IDLE_POLL = "5s"
IDLE_TRIGGERS = (1, 100, 1_000)
SETTLE_S = 20.0
"""From the start to the first figure: three polls of every trigger, once all work."""
IDLE_S = 10.0
MEMORY_BASE_MB, MEMORY_TRIGGER_KB = 60.0, 60.0
IDLE_CORE_MAX = 0.10

BUSY_TRIGGERS = (20, 200)
BUSY_BATCH_SIZE = 64
BUSY_RESULTS = 102_400
"""Of all triggers together, the same at every size of the fleet: 8 batches for each of 200. A quarter of it warms up,
two batches of those: what a trigger costs once is told apart from what a result costs."""
BUSY_WARM = BUSY_RESULTS // 4
FLAT_WITHIN = 0.15

BACKLOG = 1_000_000
FAIR_POLL_S = 0.2
FAIR_RESULTS = 20
FAIR_S_MAX = 1.0


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth_bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    rounds = 1 if args.quick else args.rounds
    sizes = IDLE_TRIGGERS[:-1] if args.quick else IDLE_TRIGGERS
    with tempfile.TemporaryDirectory() as folder:
        kafka, redis = start_kafka(Path(folder)), start_redis(Path(folder))
        try:
            with platform(BACKLOG) as port:
                track = Track(platform_port=port, kafka=kafka, redis=redis)
                verdicts = [*_idle(track, sizes, rounds), *_busy(track, rounds), *_fair(track, rounds)]
        finally:
            redis.stop()
            kafka.stop()
    return tell("growth", verdicts, as_json=args.json)


def _idle(track: Track, sizes: Sequence[int], rounds: int) -> list[Verdict]:
    figures = [{size: idle(track, size) for size in sizes} for _ in range(rounds)]
    most, least = sizes[-1], sizes[0]
    per_trigger_kb = [(each[most][0] - each[least][0]) / (most - least) * 1e3 for each in figures]
    return [
        *(told(f"idle, {size} triggers: memory, MB", [each[size][0] for each in figures]) for size in sizes[1:-1]),
        *(
            at_most(
                f"idle, {size} triggers: memory at most 60 MB + 60 KB a trigger",
                MEMORY_BASE_MB + MEMORY_TRIGGER_KB * size / 1e3,
                [each[size][0] for each in figures],
            )
            for size in (least, most)
        ),
        at_most("idle: at most 60 KB for one trigger more", MEMORY_TRIGGER_KB, per_trigger_kb),
        at_most(
            f"idle, {most} triggers polling every {IDLE_POLL}: at most a tenth of a core",
            IDLE_CORE_MAX,
            [each[most][1] for each in figures],
        ),
    ]


def idle(track: Track, triggers: int) -> tuple[float, float]:
    """Megabytes held, and the share of a core, of triggers that have nothing to carry."""
    with fleet(track, triggers, IDLE_POLL, BATCH_SIZE) as running:
        for member in running.members:
            member.show(0)
        running.go()
        time.sleep(SETTLE_S)
        began_s, began_ns = time.monotonic(), cpu_ns(running.process.pid)
        time.sleep(IDLE_S)
        taken_ns = cpu_ns(running.process.pid) - began_ns
        return running.rss_bytes() / 1e6, taken_ns / 1e9 / (time.monotonic() - began_s)


def _busy(track: Track, rounds: int) -> list[Verdict]:
    busy(track, BUSY_TRIGGERS[0])  # the broker compiles its code while it runs
    figures = [_busy_round(track, BUSY_TRIGGERS[:: 1 if turn % 2 else -1]) for turn in range(2 * rounds)]
    sizes = (1, *BUSY_TRIGGERS)
    return [
        *(told(f"busy, {size} triggers: CPU µs a result", [each[size] for each in figures]) for size in sizes),
        *(
            at_least(
                f"busy, {size} triggers: at least 0.85 of the results per core second of one trigger",
                1 - FLAT_WITHIN,
                [each[1] / each[size] for each in figures],
            )
            for size in BUSY_TRIGGERS
        ),
    ]


def _busy_round(track: Track, sizes: Sequence[int]) -> dict[int, float]:
    """CPU microseconds a result by size; one trigger alone runs before and behind the others."""
    before_us = busy(track, 1)
    taken_us = {size: busy(track, size) for size in sizes}
    return {1: (before_us + busy(track, 1)) / 2, **taken_us}


def busy(track: Track, triggers: int) -> float:
    """CPU microseconds a result. Raises WrongCountError where the topics hold something else than what was there."""
    results = BUSY_RESULTS // triggers
    with fleet(track, triggers, IDLE_POLL, BUSY_BATCH_SIZE) as running:
        for member in running.members:
            member.show(results)
        running.group.watch(running.process.pid, BUSY_WARM, results * triggers)
        running.go()
        _, cpu_s = running.until_carried()
        counted = count(running.job.bootstrap_servers, running.job.topics)
    if counted != (results * triggers, min(results, PREPARED_MAX)):
        raise WrongCountError(f"{triggers} triggers: {counted[0]} records of {results * triggers}")
    return cpu_s / (results * triggers - BUSY_WARM) * 1e6


def _fair(track: Track, rounds: int) -> list[Verdict]:
    target = f"a single result beside a backlog of {BACKLOG:,}: at most the poll interval + 1 s, the slowest"
    return [at_most(target, FAIR_POLL_S + FAIR_S_MAX, [max(fair(track)) for _ in range(rounds)])]


def fair(track: Track) -> list[float]:
    """Seconds from visible to advanced past, of single results of one trigger while another works on its backlog."""
    with fleet(track, 2, f"{FAIR_POLL_S * 1e3:.0f}ms", BATCH_SIZE) as running:
        single, backlog = running.members
        single.show(0)
        backlog.show(BACKLOG)
        running.go()
        for shown in range(1, FAIR_RESULTS + 2):
            time.sleep(random.random() * FAIR_POLL_S)
            single.show(shown)
            running.until_arrived(single, shown)
        _check_busy(running)
        return [past - seen for seen, past in single.arrivals()[1:]]


def _check_busy(running: Fleet) -> None:
    """The backlog must have been there to the end, or nothing was shown."""
    if running.members[1].arrivals():
        raise RuntimeError("the backlog came to its end too soon")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
