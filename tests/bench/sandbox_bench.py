"""The sandbox at size: a page of 1,024 results of 2 KB, a sync of 10,000 comments, memory at 100,000 comments.

Prints one JSON object. Run it as `python -m tests.bench.sandbox_bench [COMMENTS]` (100,000 unless told). The server is
a process of its own; CPU and memory are what the kernel says of it. It does not predict ahead here: a page's
predictions are made and kept at its first fetch, which is timed apart; the figure is the median of those after it.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from typing_extensions import override

from tests.neighbours.sandbox import Sandbox

COMMENTS = 100_000
SYNC, SYNC_AT_ONCE = 10_000, 2_000
PAGE = 1_024
TURNS = 7
TARGETS = {"fetch_cpu_ms": 25.0, "sync_s": 10.0, "memory_mb": 300.0}
SOURCE, DATASET = "/api/v1/sources/bench/mail", "/api/v1/datasets/bench/labels"
SENTENCES = (
    "The trade has not settled and the counterparty asks for a new date.",
    "Please refund the fee of 12.50 USD, this charge is wrong.",
    "Kindly confirm the settlement instructions for the account named above.",
)


def comment(number: int) -> dict[str, Any]:
    """About 2 KB on the wire, as mail is: sentences, an address, some properties."""
    text = f"Case {number}. " + " ".join(SENTENCES[(number + turn) % len(SENTENCES)] for turn in range(22))
    return {
        "id": f"{number:08x}",
        "timestamp": "2020-05-01T10:00:00Z",
        "messages": [
            {"body": {"text": text}, "subject": {"text": "Trade"}, "from": "a@example.com", "to": ["b@example.com"]}
        ],
        "user_properties": {"string:Country": "uk", "number:Amount": number},
    }


class Server(Sandbox):
    """Quiet between requests."""

    @override
    def command(self) -> list[str]:
        return [*super().command(), "--no-warm"]


class Bench:
    """One server and a client before it."""

    def __init__(self, server: Sandbox) -> None:
        self.pid = int(server.pid)
        headers = {"authorization": "Bearer sandbox"}
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=1800, trust_env=False)

    def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        return self.http.request(method, path, json=body).raise_for_status()

    def cpu_s(self) -> float:
        """User and system time of all the server's threads; the kernel counts in nanoseconds in `schedstat`."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def memory_mb(self, field: str) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

    def sync(self, first: int, count: int) -> float:
        """Seconds until all of them are answered, by the clock."""
        bodies = [
            json.dumps(
                {"comments": [comment(number) for number in range(start, min(start + SYNC_AT_ONCE, first + count))]}
            )
            for start in range(first, first + count, SYNC_AT_ONCE)
        ]
        began = time.perf_counter()
        for body in bodies:
            self.http.post(f"{SOURCE}/sync", content=body).raise_for_status()
        return time.perf_counter() - began

    def prepare(self) -> None:
        source = self.send("PUT", SOURCE, {"source": {}}).json()["source"]["id"]
        self.send(
            "PUT", DATASET, {"dataset": {"source_ids": [source], "has_sentiment": False, "entity_kinds": ["email"]}}
        )
        kinds = ("The trade has not settled", "Please refund the fee")
        few = [{**comment(number), "id": f"f{number:07x}"} for number in range(40)]
        for number, each in enumerate(few):
            each["messages"] = [{"body": {"text": f"{kinds[number % 2]} {number}"}}]
        self.send("POST", f"{SOURCE}/sync", {"comments": few})
        labels = ([{"name": ["Trade", "Settlement"]}], [{"name": ["Fee"]}])
        annotations = [
            {"comment_uid": f"{source}.{each['id']}", "labels": labels[number % 2]} for number, each in enumerate(few)
        ]
        self.send("POST", f"{DATASET}/sync-annotations", {"annotations": annotations})
        self.send("POST", "/_sandbox/datasets/bench/labels/train")
        self.send("POST", "/_sandbox/datasets/bench/labels/models/0/pin")
        model = {"version": 0, "label_thresholds": [{"name": ["Trade", "Settlement"], "threshold": 0.3}]}
        self.send("PUT", f"{DATASET}/triggers", {"trigger": {"name": "t", "model": model}})

    def page_cpu_ms(self) -> tuple[float, float, int]:
        """Of the page at the trigger's position, and its bytes; the first turn predicts, and is told apart."""
        costs, size = [], 0
        for _ in range(TURNS + 1):
            before = self.cpu_s()
            page = self.send("POST", f"{DATASET}/triggers/t/fetch", {"size": PAGE})
            costs.append((self.cpu_s() - before) * 1000)
            size = len(page.content)
        return statistics.median(costs[1:]), costs[0], size

    def pages(self, middle: str) -> dict[str, Any]:
        """At two places; between them the position is moved by reset to a time of upload."""
        found: dict[str, Any] = {}
        first = self.send("POST", f"{DATASET}/triggers/t/fetch", {"size": 64}).json()
        listed = self.send("GET", f"{SOURCE}/comments/{middle}").json()["comment"]["created_at"]
        for place, to in (("beginning", first["results"][-1]["comment"]["created_at"]), ("middle", listed)):
            self.send("POST", f"{DATASET}/triggers/t/reset", {"to_comment_created_at": to})
            found[place], found["first_cpu_ms"], found["page_bytes"] = self.page_cpu_ms()
        return found


def measure(data_dir: Path, comments: int) -> dict[str, Any]:
    server = Server.start(data_dir)
    try:
        bench = Bench(server)
        bench.prepare()
        sync_s = bench.sync(0, SYNC)
        rest_s = bench.sync(SYNC, comments - SYNC)
        pages = bench.pages(f"{comments // 2:08x}")
        return {
            "comments": comments,
            "sync_s": round(sync_s, 2),
            "comments_per_s": round((comments - SYNC) / rest_s),
            "first_fetch_cpu_ms": round(pages["first_cpu_ms"]),
            "fetch_cpu_ms": round(max(pages["beginning"], pages["middle"]), 1),
            "page_bytes": pages["page_bytes"],
            "memory_mb": round(bench.memory_mb("VmRSS"), 1),
            "memory_peak_mb": round(bench.memory_mb("VmHWM"), 1),
        }
    finally:
        server.stop()


def main() -> None:
    comments = int(sys.argv[1]) if len(sys.argv) > 1 else COMMENTS
    with tempfile.TemporaryDirectory() as data_dir:
        found = measure(Path(data_dir), comments)
    print(json.dumps({**found, "targets": TARGETS, "met": {key: found[key] <= most for key, most in TARGETS.items()}}))


if __name__ == "__main__":
    main()
