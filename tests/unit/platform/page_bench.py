"""What a page of 1,024 results costs, in CPU milliseconds: python -m tests.unit.platform.page_bench"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections.abc import Callable

import httpx
import zstandard

from bridge.adapters.clock import SystemClock
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.wire import decode_page
from bridge.domain.model import TriggerRef
from tests.unit.platform.answering import Answer, Platform
from tests.unit.platform.pages import a_result, page_of

RESULTS = 1024
ROUNDS = 40
REF = TriggerRef(project="org1", dataset="collateral", trigger="dispute")
WORDS = "please settle the trade of last week, the counterparty says that nothing has arrived so far; "


def page(result_bytes: int, text: str = "Hi Bob") -> bytes:
    """Results of that size, with three labels and an entity each."""
    labels = [{"name": ["Trade", f"L{n}"], "probability": 0.5 + n / 10} for n in range(3)]
    padding = (WORDS * 50)[: result_bytes - 700]
    messages = [{"body": {"text": padding}, "subject": {"text": text}}]
    more: dict[str, object] = {
        "last_modified": "2020-06-01T13:27:29.450000Z",
        "source_id": "18ba5ce699f8da1f",
        "attachments": [],
    }
    raws = [
        json.dumps(a_result(n, comment={"messages": messages} | more, labels=labels)).encode() for n in range(RESULTS)
    ]
    return page_of(*raws)


def cpu_ms(work: Callable[[], object]) -> dict[str, float]:
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        took.append((time.process_time() - began) * 1000)
    return {"p50": round(statistics.median(took), 2), "least": round(min(took), 2)}


def fetching(body: bytes, encoding: str) -> Callable[[], object]:
    """A whole fetch by the client from an app in this process; its share is in the figure."""
    loop = asyncio.new_event_loop()
    transport = httpx.ASGITransport(app=Platform(Answer(body=body, headers={"content-encoding": encoding})))
    settings = PlatformSettings(base_url="https://platform.test", token="t", requests_per_s_max=1e6)
    client = PlatformClient(settings, SystemClock(), transport=transport)
    return lambda: loop.run_until_complete(client.fetch(REF, RESULTS))


def main() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    plain, large = page(2048), page(4096)
    odd = plain.replace(b"Hi Bob", b"Hi \\ud83d", 10)
    figures = {
        "result_bytes": len(plain) // RESULTS,
        "decode 2 KB": cpu_ms(lambda: decode_page(plain, RESULTS)),
        "decode 4 KB": cpu_ms(lambda: decode_page(large, RESULTS)),
        "decode 2 KB, 10 lone surrogates": cpu_ms(lambda: decode_page(odd, RESULTS)),
        "fetch 2 KB": cpu_ms(fetching(plain, "identity")),
        "fetch 2 KB, zstd": cpu_ms(fetching(zstandard.compress(plain, 3), "zstd")),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
