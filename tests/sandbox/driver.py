"""A thin driver of the sandbox in process: raw requests, and the few steps most tests begin with."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from bridge.sandbox.box import Sandbox
from bridge.sandbox.server import create_app
from bridge.sandbox.settings import Profile, Settings

START_MS = 1_591_018_049_450
"""A millisecond of June 2020, so that fixed clocks read like the documents."""
DATASET = "/api/v1/datasets/org1/collateral"
SOURCE = "/api/v1/sources/org1/mail"


class FixedClock:
    """Stands still until told."""

    def __init__(self, at_ms: float = START_MS) -> None:
        self.at_ms = at_ms

    def __call__(self) -> float:
        return self.at_ms


class Driver:
    """One sandbox in this process; `close` leaves its file for another."""

    def __init__(self, db: Path, clock: FixedClock, profile: Profile = Profile.TODAY, **more: Any) -> None:
        self.clock = clock
        settings = Settings(db=db, profile=profile, clock_ms=clock, **{"warm": False, **more})
        app = create_app(settings)
        self.box: Sandbox = app.state.sandbox
        self.source_id = ""
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://sandbox",
            headers={"authorization": "Bearer sandbox"},
        )

    async def close(self) -> None:
        await self.client.aclose()
        await self.box.close()

    async def send(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        return await self.client.request(method, path, json=body, **more)

    async def ok(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        response = await self.send(method, path, body)
        answer: dict[str, Any] = response.json()
        assert (response.status_code, answer["status"]) == (200, "ok"), response.text
        return answer

    async def refused(self, status: int, method: str, path: str, body: object = None, **more: Any) -> str:
        """The message of a refusal, which must have this code and the error envelope and nothing else."""
        response = await self.send(method, path, body, **more)
        answer = response.json()
        assert (response.status_code, answer["status"]) == (status, "error"), response.text
        assert set(answer) == {"status", "message"}
        return str(answer["message"])

    async def prepare(self, **dataset: Any) -> None:
        """One source, one dataset over it."""
        source = await self.ok("PUT", SOURCE, {"source": {}})
        self.source_id = source["source"]["id"]
        await self.ok("PUT", DATASET, {"dataset": {"source_ids": [self.source_id], **dataset}})

    async def upload(self, comments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return await self.ok("POST", f"{SOURCE}/sync", {"comments": list(comments)})

    async def create_trigger(self, name: str = "dispute", **fields: Any) -> dict[str, Any]:
        answer = await self.ok("PUT", f"{DATASET}/triggers", {"trigger": {"name": name, **fields}})
        trigger: dict[str, Any] = answer["trigger"]
        return trigger

    async def fetch(self, size: int = 1024, name: str = "dispute", **more: int) -> dict[str, Any]:
        return await self.ok("POST", f"{DATASET}/triggers/{name}/fetch", {"size": size, **more})

    async def advance(self, sequence_id: str, name: str = "dispute") -> None:
        await self.ok("POST", f"{DATASET}/triggers/{name}/advance", {"sequence_id": sequence_id})

    async def annotate(self, labels: Mapping[str, Sequence[Any]]) -> None:
        """Labels by comment id."""
        annotations = [{"comment_uid": f"{self.source_id}.{key}", "labels": list(each)} for key, each in labels.items()]
        await self.ok("POST", f"{DATASET}/sync-annotations", {"annotations": annotations})

    async def train_and_pin(self) -> int:
        model = await self.ok("POST", "/_sandbox/datasets/org1/collateral/train")
        version = int(model["model"]["version"])
        await self.ok("POST", f"/_sandbox/datasets/org1/collateral/models/{version}/pin")
        return version

    async def expected(self, name: str = "dispute") -> list[dict[str, Any]]:
        response = await self.send("GET", f"/_sandbox/datasets/org1/collateral/triggers/{name}/expected")
        return [json.loads(line) for line in response.text.splitlines()]


def comment(comment_id: str, text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {
        "id": comment_id,
        "timestamp": "2020-05-01T10:00:00+02:00",
        "messages": [{"body": {"text": text}}],
        **more,
    }


def mails(count: int, first: int = 0) -> list[dict[str, Any]]:
    """Comments of two kinds that any model can tell apart, numbered in hexadecimal."""
    kinds = (
        "The trade has not settled, settlement failed",
        "Please refund the fee, this charge is wrong",
    )
    return [comment(f"{index:04x}", f"{kinds[index % 2]} ({index})") for index in range(first, first + count)]


def mail_labels(count: int) -> dict[str, list[dict[str, Any]]]:
    """The true labels of `mails`: a child label with a sentiment for the even ones, a plain one for the odd ones."""
    even = [{"name": ["Trade", "Settlement"], "sentiment": "negative"}]
    odd = [{"name": "Fee > Refund", "sentiment": "positive"}]
    return {f"{index:04x}": odd if index % 2 else even for index in range(count)}
