"""CPU of one fetch and of one advance by what carries it and how the answer is packed.

`python -m tests.bench.transport_bench [--turns N] [--json]`. The bench's own platform answers, a process of its own, on
loopback without TLS. The figure is the least of all turns: what disturbs a turn only ever adds.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from http.client import HTTPConnection
from itertools import pairwise

import httpx
import zstandard

from bridge.adapters.platform.encoding import unpacked
from bridge.adapters.platform.transport import LeanCarrier, Outgoing
from bridge.app.memory import keep_freed_memory, spare_the_collector
from tests.bench.carry.platform import Stage
from tests.bench.carry.race import platform
from tests.bench.carry.results import BATCH_SIZE, results
from tests.bench.carry.tables import tell_steps

TURNS = 60
ANSWER_BYTES_MAX = 256 * 1024 * 1024


async def _body_of(client: httpx.AsyncClient, url: str, body: dict[str, object]) -> bytes:
    async with client.stream("POST", url, content=json.dumps(body)) as answer:
        return b"".join([part async for part in answer.aiter_raw()])


async def _carried(carrier: LeanCarrier, url: str, body: dict[str, object]) -> bytes:
    answer = await carrier.carry(Outgoing(method="POST", url=url, headers={}, content=json.dumps(body).encode()))
    parts: list[bytes] = []
    while part := await answer.part():
        parts.append(part)
    await answer.aclose()
    return b"".join(parts)


async def measured_us(turns: int) -> dict[str, float]:
    """CPU microseconds of one result of a batch."""
    page = Stage(results(BATCH_SIZE), BATCH_SIZE).answer("POST", "/any/fetch", b'{"size":%d}' % BATCH_SIZE)
    by_gzip, by_zstd = gzip.compress(page, 6), zstandard.ZstdCompressor(level=3).compress(page)
    lean = LeanCarrier(ssl.create_default_context(), keepalive_s=30.0)
    with platform(BATCH_SIZE) as port:
        url = f"http://127.0.0.1:{port}/api/v1/datasets/p/d/triggers/t"
        async with httpx.AsyncClient(trust_env=False) as own:
            taken = {
                "httpx's own transport: fetch": await _least(lambda: _fetch(own, url), turns),
                "httpx's own transport: advance": await _least(lambda: _advance(own, url), turns),
                "the service's carrier: fetch": await _least(
                    lambda: _carried(lean, f"{url}/fetch", {"size": BATCH_SIZE}), turns
                ),
                "the service's carrier: advance": await _least(
                    lambda: _carried(lean, f"{url}/advance", {"sequence_id": "at-0"}), turns
                ),
            }
        await lean.aclose()
        ceiling = HTTPConnection("127.0.0.1", port)
        taken["the ceiling's http.client: fetch"] = await _least(
            lambda: _blocking(ceiling, "fetch", "size", BATCH_SIZE), turns
        )
        taken["the ceiling's http.client: advance"] = await _least(
            lambda: _blocking(ceiling, "advance", "sequence_id", "at-0"), turns
        )
        ceiling.close()
    for name, packed in (("gzip", by_gzip), ("zstd", by_zstd)):
        whole = f"unpack {name}, {len(packed) // 1024} KB for {len(page) // 1024}"
        began_s = [time.process_time()]
        for _ in range(turns):
            unpacked(packed, name, ANSWER_BYTES_MAX)
            began_s.append(time.process_time())
        taken[whole] = min(after - before for before, after in pairwise(began_s))
    return {name: round(seconds / BATCH_SIZE * 1e6, 2) for name, seconds in taken.items()}


async def _blocking(connection: HTTPConnection, operation: str, key: str, value: object) -> bytes:
    connection.request("POST", f"/api/v1/datasets/p/d/triggers/t/{operation}", json.dumps({key: value}))
    return connection.getresponse().read()


def _fetch(client: httpx.AsyncClient, url: str) -> Awaitable[bytes]:
    return _body_of(client, f"{url}/fetch", {"size": BATCH_SIZE})


def _advance(client: httpx.AsyncClient, url: str) -> Awaitable[bytes]:
    return _body_of(client, f"{url}/advance", {"sequence_id": "at-0"})


async def _least(ask: Callable[[], Awaitable[bytes]], turns: int) -> float:
    least_s = float("inf")
    for _ in range(turns):
        began_s = time.process_time()
        await ask()
        least_s = min(least_s, time.process_time() - began_s)
    return least_s


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.transport_bench", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    # As the service runs.
    spare_the_collector()
    keep_freed_memory(os.environ)
    tell_steps(asyncio.run(measured_us(args.turns)), as_json=args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
