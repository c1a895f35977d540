"""A source, a dataset and a trigger on the sandbox, by plain HTTP calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx

from tests.neighbours.sandbox import Sandbox

SYNC_COMMENTS_MAX = 1024
PROJECT, DATASET, TRIGGER, SOURCE = "org1", "collateral", "dispute", "mail"


class Platform:
    """What a team does on the platform before it needs a bridge."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = httpx.Client(
            base_url=sandbox.url, headers={"Authorization": f"Bearer {sandbox.token}"}, timeout=120
        )
        self.uploaded = 0

    def close(self) -> None:
        self.http.close()

    def prepare(self, trigger: dict[str, Any] | None = None) -> None:
        """An empty source, its dataset and a trigger without a model (unless `trigger` says more)."""
        source = self.call("PUT", f"/api/v1/sources/{PROJECT}/{SOURCE}", {"source": {"title": "mail"}})["source"]
        self.call("PUT", f"/api/v1/datasets/{PROJECT}/{DATASET}", {"dataset": {"source_ids": [source["id"]]}})
        self.create_trigger({"name": TRIGGER, **(trigger or {})})

    def create_trigger(self, trigger: dict[str, Any]) -> None:
        self.call("PUT", f"/api/v1/datasets/{PROJECT}/{DATASET}/triggers", {"trigger": trigger})

    def upload(self, count: int, *, text: str = "hello", **more: Any) -> list[str]:
        """Comments with a property to route by (`string:Lane` is `a`, `b` or `c`), in threads of five; their ids."""
        numbers = range(self.uploaded, self.uploaded + count)
        self.uploaded += count
        return self.sync([self.comment(number, text=text, **more) for number in numbers])

    def comment(self, number: int, *, text: str = "hello", **more: Any) -> dict[str, Any]:
        return {
            "id": f"{number:08x}",
            "timestamp": "2026-01-05T09:00:00Z",
            "thread_id": f"{number // 5:08x}",
            "messages": [{"body": {"text": f"{text} {number}"}, "from": f"sender{number % 17}@example.com"}],
            "user_properties": {"string:Lane": "abc"[number % 3], "number:Nr": number},
            **more,
        }

    def sync(self, comments: Sequence[dict[str, Any]]) -> list[str]:
        for at in range(0, len(comments), SYNC_COMMENTS_MAX):
            batch = list(comments[at : at + SYNC_COMMENTS_MAX])
            self.call("POST", f"/api/v1/sources/{PROJECT}/{SOURCE}/sync", {"comments": batch})
        return [str(comment["id"]) for comment in comments]

    def expected(self, trigger: str = TRIGGER) -> list[dict[str, Any]]:
        """Everything the trigger would ever deliver, in order: the platform's own word."""
        answer = self.http.get(f"/_sandbox/datasets/{PROJECT}/{DATASET}/triggers/{trigger}/expected")
        answer.raise_for_status()
        return [json.loads(line) for line in answer.text.splitlines() if line.strip()]

    def fault(self, **fault: Any) -> None:
        """One fault of `/_sandbox/faults`."""
        self.call("POST", "/_sandbox/faults", [fault])

    def log_bytes(self) -> int:
        """Grows with each fetch, advance and reset the sandbox has seen."""
        file = self.sandbox.events_file
        return file.stat().st_size if file.exists() else 0

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == 200, (method, path, answer.status_code, answer.text[:500])
        found: dict[str, Any] = answer.json()
        return found
