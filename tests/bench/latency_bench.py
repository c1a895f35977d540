"""How long a single result waits: from visible at the platform to advanced past, and the service's own share of it.

`python -m tests.bench.latency_bench [--rounds N] [--json]`. One idle trigger of a real process; each result appears
alone, at a moment of the poll interval that chance takes. It is timed at the platform, at the advance: acked is
sooner. The own share is one pass of one result in this process, metrics and log included, without the neighbours.
Writes .bench/latency.json. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bridge.app.telemetry.logs import make_logger
from tests.bench.carry.fleet import fleet
from tests.bench.carry.race import Track, platform
from tests.bench.carry.results import BATCH_SIZE
from tests.bench.carry.tables import tell
from tests.bench.carry.verdicts import at_most, told
from tests.bench.telemetry_bench import variants
from tests.neighbours.choice import start_kafka, start_redis

ROUNDS = 3
RESULTS = 100
POLL_INTERVAL_S = 0.2
OVER_POLL_MS_MAX = 30.0
OWN_MS_MAX = 10.0
PASSES = 2_000


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.latency_bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of {RESULTS} results that appear one by one")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    waits_ms = measured_waits_ms(args.rounds)
    own_ms = _silently(args.rounds)
    poll_ms = POLL_INTERVAL_S * 1e3
    verdicts = [
        told("visible to acked, idle trigger: median, ms", [statistics.median(each) for each in waits_ms]),
        at_most(
            f"visible to acked, idle trigger: p99 at most the poll interval of {poll_ms:.0f} ms + 30 ms",
            poll_ms + OVER_POLL_MS_MAX,
            [_p99(each) for each in waits_ms],
        ),
        at_most(
            "own share of a pass of one result, wall clock: p99 under 10 ms",
            OWN_MS_MAX,
            [_p99([wall for wall, _ in each]) for each in own_ms],
        ),
        told("own share of a pass of one result, CPU: p99, ms", [_p99([cpu for _, cpu in each]) for each in own_ms]),
    ]
    return tell("latency", verdicts, as_json=args.json)


def measured_waits_ms(rounds: int) -> list[list[float]]:
    """By round; the first result of all is not counted, it pays for connections and metadata."""
    with tempfile.TemporaryDirectory() as folder:
        kafka, redis = start_kafka(Path(folder)), start_redis(Path(folder))
        try:
            with platform(BATCH_SIZE) as port:
                track = Track(platform_port=port, kafka=kafka, redis=redis)
                with fleet(track, 1, f"{POLL_INTERVAL_S * 1e3:.0f}ms", BATCH_SIZE) as running:
                    (trigger,) = running.members
                    trigger.show(0)
                    running.go()
                    for shown in range(1, rounds * RESULTS + 2):
                        time.sleep(random.random() * POLL_INTERVAL_S)
                        trigger.show(shown)
                        running.until_arrived(trigger, shown)
                    waits = [(past - seen) * 1e3 for seen, past in trigger.arrivals()[1:]]
        finally:
            redis.stop()
            kafka.stop()
    return [waits[begin : begin + RESULTS] for begin in range(0, len(waits), RESULTS)]


def _silently(rounds: int) -> list[list[tuple[float, float]]]:
    """The log's lines are written, and not in the way of the figures."""
    gc.set_threshold(50_000, 20, 20)
    sys.stdout.flush()
    out = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        taken = asyncio.run(own_passes_ms(rounds))
        sys.stdout.flush()
        os.dup2(out, 1)
    return taken


async def own_passes_ms(rounds: int) -> list[list[tuple[float, float]]]:
    """By round: wall clock, and CPU, which a busy machine disturbs less."""
    metered = variants(1, make_logger())["metrics"]
    await metered.cpu_s(PASSES // 10)
    rounds_ms = []
    for _ in range(rounds):
        taken = []
        for _ in range(PASSES):
            began = time.perf_counter()
            cpu_s = await metered.cpu_s(1)
            taken.append(((time.perf_counter() - began) * 1e3, cpu_s * 1e3))
        rounds_ms.append(taken)
    return rounds_ms


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
