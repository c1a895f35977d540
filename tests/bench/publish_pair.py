"""Two or more working trees publish the same batch in turn: the wall clock and the CPU of a `publish`.

`python -m tests.bench.publish_pair TREE... [--turns N] [--delivery MODE] [--calls N] [--compression NAME]`. Each tree
is a process of its own on the same broker. In every turn each decodes and decides a page, as a pass does, and then
publishes it; only the last is timed. Their order is drawn, and the first tree is what the others are held against, turn
by turn. `--calls` publishes so many batches at the same time. On a busy machine put `chrt -r 1` before it: everything
it starts then goes before the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.publisher import KafkaPublisher
from bridge.adapters.kafka.settings import KafkaSettings, TopicCreation
from bridge.adapters.kafka.state_topic import KafkaStateStore
from bridge.adapters.kafka.transactions import KafkaTransactions
from bridge.adapters.platform.wire import decode_page
from bridge.app.memory import keep_freed_memory, spare_the_collector
from bridge.domain.decide import decide
from bridge.domain.delivery import Delivery, Outcome, Receipt
from bridge.domain.model import Generation, TriggerName
from bridge.domain.position import position_after
from tests.bench import pair  # by name: an older tree, which its own process imports, may lack what is in it
from tests.bench.carry.job import PARTITIONS
from tests.bench.carry.platform import Stage
from tests.bench.carry.results import BATCH_SIZE, ROUTED, results
from tests.bench.carry.tables import machine
from tests.fakes.plans import a_plan
from tests.neighbours.choice import start_kafka, what_ran
from tests.neighbours.topics import Topics

TURNS = 200
WARM_TURNS = 30
REST_S = 0.005
"""Between two batches."""
PLAN = a_plan({label.lower(): label for label in ROUTED}, batch_size=BATCH_SIZE)
PAGE = Stage(results(BATCH_SIZE), BATCH_SIZE).answer("POST", "/any/fetch", b'{"size":%d}' % BATCH_SIZE)
Publish = Callable[[Sequence[Delivery]], Awaitable[Sequence[Receipt]]]


async def serve(name: str, bootstrap_servers: str, delivery: str, calls: int, compression: str) -> None:
    """The process of a tree: publishes once for each line it reads, and writes how long it took."""
    settings = KafkaSettings(
        bootstrap_servers=bootstrap_servers,
        compression=None if compression == "none" else compression,
        topics=TopicCreation(replication_factor=1),
    )
    topics = Topics(bootstrap_servers)
    names = {route.topic: await topics.create("publish", PARTITIONS) for route in PLAN.rules.routes}
    prepared = _once(settings, name) if delivery == "exactly_once" else _at_least_once(settings)
    async with prepared as publish:
        keep_freed_memory(os.environ)
        spare_the_collector()
        print("ready", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            deliveries = _decided(names)
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            answered = await asyncio.gather(*(publish(deliveries) for _ in range(calls)))
            taken = (time.perf_counter() - began_s, time.process_time() - began_cpu_s)
            assert all(receipt.outcome is Outcome.ACKED for receipts in answered for receipt in receipts)
            print(json.dumps(taken), flush=True)
    await topics.remove_all()


def _decided(topics: Mapping[str, str]) -> list[Delivery]:
    batch = decode_page(PAGE, BATCH_SIZE)
    decision = decide(batch, PLAN, Generation(0), {}, "00-" + "1" * 32 + "-" + "1" * 16 + "-00")
    return [replace(each, topic=topics[each.topic]) for each in decision.deliveries]


@asynccontextmanager
async def _at_least_once(settings: KafkaSettings) -> AsyncIterator[Publish]:
    async with KafkaPublisher(settings, SystemClock(), on_abandoned=_given_up) as publisher:
        yield publisher.publish


@asynccontextmanager
async def _once(settings: KafkaSettings, name: str) -> AsyncIterator[Publish]:
    async with KafkaStateStore(settings, "bench", accept=frozenset({"single_replica"})) as store:
        await store.load()
    trigger = TriggerName(name)
    async with KafkaTransactions(settings, "bench", SystemClock(), on_abandoned=_given_up) as transactions:
        await transactions.take_over(trigger)
        position = position_after(decode_page(PAGE, BATCH_SIZE), (), PLAN.ref, Generation(0), None)
        yield lambda deliveries: transactions.publish_atomically(trigger, deliveries, position)


def _given_up(reason: str) -> None:
    raise RuntimeError(f"a producer was given up: {reason}")


@contextmanager
def _served(place: int, tree: Path, arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    environ = {**os.environ, **pair.environ_of(tree)}
    command = [sys.executable, str(Path(__file__).resolve()), f"tree-{place}", "--serve", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.communicate()


def _turn(process: subprocess.Popen[str]) -> tuple[float, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    wall_s, cpu_s = json.loads(process.stdout.readline())
    time.sleep(REST_S)
    return wall_s * 1e3, cpu_s * 1e3


def measured(trees: Sequence[Path], turns: int, options: Sequence[str]) -> list[list[tuple[float, float]]]:
    """Milliseconds of wall clock and of CPU, by tree and turn."""
    taken_ms: list[list[tuple[float, float]]] = [[] for _ in trees]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        kafka = start_kafka(Path(folder))
        stack.callback(kafka.stop)
        arguments = [kafka.bootstrap_servers, *options]
        field = [stack.enter_context(_served(place, tree, arguments)) for place, tree in enumerate(trees)]
        for _ in range(WARM_TURNS + turns):
            for place in random.sample(range(len(field)), len(field)):
                taken_ms[place].append(_turn(field[place]))
    return [each[WARM_TURNS:] for each in taken_ms]


def _spelled(figures: Sequence[float], sign: str = "") -> str:
    """The median, and the quarters around it."""
    low, middle, high = quantiles(figures, n=4)
    return f"{middle:{sign}.2f} [{low:{sign}.2f} to {high:{sign}.2f}]"


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.publish_pair", description=__doc__)
    parser.add_argument("trees", nargs="+")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--delivery", default="at_least_once")
    parser.add_argument("--calls", default="1")
    parser.add_argument("--compression", default="none")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.serve:
        bootstrap_servers, delivery, calls, compression = args.serve
        asyncio.run(serve(args.trees[0], bootstrap_servers, delivery, int(calls), compression))
        return 0
    options = [args.delivery, args.calls, args.compression]
    taken_ms = measured([Path(tree) for tree in args.trees], args.turns, options)
    table = Table("tree", "wall ms", "against the first", "CPU ms", "against the first")
    for tree, each in zip(args.trees, taken_ms, strict=True):
        cells = []
        for kind in (0, 1):
            cells.append(_spelled([one[kind] for one in each]))
            cells.append(_spelled([one[kind] - other[kind] for one, other in zip(each, taken_ms[0], strict=True)], "+"))
        table.add_row(tree, *cells)
    console = Console(width=160)
    console.print(f"{what_ran()}, {machine()}, {args.turns} turns of {args.calls} x {BATCH_SIZE}, {' '.join(options)}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
