"""What a mark costs: memory at a million marks, time and client CPU of a round trip, beside the ways not taken (D4a).

    python -m tests.bench.ledger_bench [--redis-server PATH] [--marks N] [--batch N] [--turns N] [--cold]

Prints one JSON object. Ways are timed in turns, so that a busy machine disturbs all alike; medians, and the least CPU.
`--cold` goes through other memory before each call, as a pass does between its two calls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from redis.asyncio import Redis
from typing_extensions import override

from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.adapters.redis_ledger.scripts import MARK, MARKED, Call, lifetimes, ring_of
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.domain.delivery import MARK_KEY_BYTES, MarkKey
from bridge.domain.model import TriggerRef
from tests.neighbours.redis_server import RedisServer

BATCH = 1024
TURNS = 60
COLD_BYTES = 32 << 20
"""More than the processor's caches hold."""
DAY_S = 86_400
TRIGGER = TriggerRef(project="org1", dataset="collateral", trigger="dispute")
OTHER = TriggerRef(project="org1", dataset="collateral", trigger="other")
SET_EACH = "for i = 1, #KEYS do redis.call('SET', KEYS[i], 1, 'EX', ARGV[1]) end"

Way = Callable[[list[MarkKey]], Awaitable[object]]


class Benched(RedisServer):
    """Another binary, nothing on disk: memory is what is measured."""

    binary = "redis-server"

    @override
    def command(self) -> list[str]:
        fixed = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.data_dir)]
        return [self.binary, *fixed, "--save", "", "--appendonly", "no"]

    @property
    @override
    def version(self) -> str:
        done = subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True)
        return done.stdout.split("v=")[1].split()[0]


def fresh(count: int) -> list[MarkKey]:
    """Marks nobody has seen."""
    return [MarkKey(os.urandom(MARK_KEY_BYTES)) for _ in range(count)]


def key_of(mark: MarkKey) -> bytes:
    """The key that a mark of its own would have."""
    return ring_of(TRIGGER)[0][:-1] + mark


def keys_way(client: Redis) -> Way:
    """One key a mark, all of a batch by one script."""
    return lambda marks: client.eval(SET_EACH, len(marks), *map(key_of, marks), str(DAY_S))


def plain_way(client: Redis, call: Call) -> Way:
    """The ledger's own script by the client's own road of a command, within a time limit of its own."""

    async def way(marks: list[MarkKey]) -> object:
        async with asyncio.timeout(DAY_S):
            return await client.evalsha(call.script.sha, len(call.keys), *call.keys, *call.args, b"".join(marks))

    return way


def zset_way(client: Redis) -> Way:
    """One sorted set a trigger, its scores the time."""
    return lambda marks: client.zadd("z", {mark: time.time() for mark in marks})


async def bytes_per_mark(client: Redis, way: Way, marks: int) -> dict[str, float]:
    """By INFO, so that the allocator's rounding is in it; the server is empty before and after.

    A set's table doubles at powers of two: just past 1,048,576 marks one costs most, which `--marks 1100000` shows.
    """
    before = (await client.info("memory"))["used_memory"]
    for _ in range(marks // 1000):
        await way(fresh(1000))
    after = await client.info("memory")
    begun = time.perf_counter()
    await client.flushall(asynchronous=False)
    freed_s = time.perf_counter() - begun
    return {
        "bytes_per_mark": round((after["used_memory"] - before) / marks, 1),
        "blocks_when_freed_at_once_ms": round(freed_s * 1000, 1),
    }


async def timed(ways: dict[str, Way], asked: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Of one batch."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    elsewhere = bytearray(COLD_BYTES if asked.cold else 0)
    for _ in range(asked.turns):
        for name in random.sample(sorted(ways), len(ways)):
            marks = fresh(asked.batch)
            bytes(elsewhere)
            cpu, wall = time.process_time(), time.perf_counter()
            await ways[name](marks)
            taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: {
            "ms": round(statistics.median(wall for wall, _ in runs) * 1000, 2),
            "client_cpu_us_per_mark": round(statistics.median(cpu for _, cpu in runs) * 1e6 / asked.batch, 2),
            "client_cpu_us": round(statistics.median(cpu for _, cpu in runs) * 1e6),
            "least_client_cpu_us": round(min(cpu for _, cpu in runs) * 1e6),
        }
        for name, runs in taken.items()
    }


async def measured(server: Benched, asked: argparse.Namespace) -> dict[str, object]:
    """Everything, on one server."""
    async with (
        Redis.from_url(server.url, protocol=2) as client,
        RedisLedger(RedisSettings(url=server.url, key_ttl_s=DAY_S, timeout_s=60)) as ledger,
    ):
        mark: Way = lambda batch: ledger.mark(TRIGGER, batch)  # noqa: E731  a way among ways
        memory = {
            "ledger": await bytes_per_mark(client, mark, asked.marks),
            "key_per_mark": await bytes_per_mark(client, keys_way(client), asked.marks),
            "sorted_set": await bytes_per_mark(client, zset_way(client), asked.marks),
        }
        for key in ring_of(TRIGGER)[:3]:
            for _ in range(250):
                await client.sadd(key, *fresh(1000))
        ways: dict[str, Way] = {
            "ledger.mark": mark,
            "ledger.marked, three full buckets": lambda batch: ledger.marked(TRIGGER, batch),
            "ledger.marked, nothing there": lambda batch: ledger.marked(OTHER, batch),
            "redis-py: the same mark": plain_way(client, Call(MARK, ring_of(TRIGGER), lifetimes(DAY_S))),
            "redis-py: the same marked, nothing there": plain_way(client, Call(MARKED, ring_of(OTHER))),
            "key_per_mark: SET EX by script": keys_way(client),
            "key_per_mark: MGET": lambda batch: client.mget([key_of(each) for each in batch]),
            "sorted_set: ZADD": zset_way(client),
        }
        await ledger.marked(OTHER, fresh(1))
        shape = {"redis": server.version, "marks": asked.marks, "batch": asked.batch, "cold": asked.cold}
        return {**shape, "memory": memory, "time": await timed(ways, asked)}


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description="what a mark costs")
    parser.add_argument("--redis-server", default="redis-server", help="the binary to measure")
    parser.add_argument("--marks", type=int, default=1_000_000, help="how many fill the memory")
    parser.add_argument("--batch", type=int, default=BATCH, help="marks of a call")
    parser.add_argument("--turns", type=int, default=TURNS, help="calls of each way")
    parser.add_argument("--cold", action="store_true", help="with nothing in the processor's caches")
    asked = parser.parse_args()
    Benched.binary = asked.redis_server
    with tempfile.TemporaryDirectory() as where:
        server = Benched.start(Path(where))
        try:
            print(json.dumps(asyncio.run(measured(server, asked)), indent=1))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
