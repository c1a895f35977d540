"""Where the CPU of a result goes, step by step, in this process without any neighbour.

`python -m tests.bench.steps_bench [--turns N] [--json]`. Steps take turns; the figure is the least of all turns:
what disturbs a turn only ever adds. Memory and collector are set as the service sets them; page, routes and results
are those of the comparison of the whole job.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from bridge.adapters.kafka.directory import Shape
from bridge.adapters.kafka.packing import lanes_for
from bridge.adapters.platform.wire import decode_page
from bridge.app.memory import keep_freed_memory, spare_the_collector
from bridge.domain.census import Census
from bridge.domain.decide import decide
from bridge.domain.delivery import Delivery
from bridge.domain.model import Generation
from tests.bench.carry.job import PARTITIONS
from tests.bench.carry.platform import Stage
from tests.bench.carry.results import BATCH_SIZE, ROUTED, results
from tests.bench.carry.tables import tell_steps
from tests.fakes.plans import a_plan

TURNS = 60
TRACEPARENT = f"00-{'0' * 31}1-{'0' * 15}1-00"


def steps() -> dict[str, Callable[[], object]]:
    """By what they are called in the README."""
    page = Stage(results(BATCH_SIZE), BATCH_SIZE).answer("POST", "/any/fetch", b'{"size":%d}' % BATCH_SIZE)
    plan = a_plan({label.lower(): label for label in ROUTED}, batch_size=BATCH_SIZE)
    read = decode_page(page, BATCH_SIZE)
    batch = replace(read, results=list(read.results))
    decided = partial(decide, batch, plan, Generation(0), {}, TRACEPARENT)
    deliveries = decided().deliveries
    census = Census(plan.rules, datetime.now(UTC))
    return {
        "decode the page and keep its results": lambda: list(decode_page(page, BATCH_SIZE).results),
        "decide (match, splice, headers, mark)": decided,
        "decode and decide, as a pass does": lambda: decide(
            decode_page(page, BATCH_SIZE), plan, Generation(0), {}, TRACEPARENT
        ),
        "count for the insight views": partial(census.count, batch),
        "Kafka batches, no compression": partial(_packed, deliveries, None),
        "Kafka batches, lz4": partial(_packed, deliveries, "lz4"),
        "Kafka batches, zstd": partial(_packed, deliveries, "zstd"),
    }


def _packed(deliveries: Sequence[Delivery], compression: str | None) -> None:
    shape = Shape(partitions=PARTITIONS, batch_bytes_max=900_000)
    shapes = {delivery.topic: shape for delivery in deliveries}
    for lane in lanes_for(deliveries, shapes, dict.fromkeys(shapes, 0), compression, 1_600_000_000_000):
        lane.pack()
        for parcel in lane.parcels:
            parcel.batch.written()


def measured_us(turns: int) -> dict[str, float]:
    """CPU microseconds of one result in each step."""
    by_name = steps()
    taken: dict[str, list[float]] = {name: [] for name in by_name}
    spare_the_collector()
    for _ in range(turns):
        for name, step in by_name.items():
            began = time.process_time()
            step()
            taken[name].append(time.process_time() - began)
    return {name: round(min(each) / BATCH_SIZE * 1e6, 2) for name, each in taken.items()}


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.steps_bench", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    keep_freed_memory(os.environ)
    tell_steps(measured_us(args.turns), as_json=args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
