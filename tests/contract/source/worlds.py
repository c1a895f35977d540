"""Platforms to run the Source suite in: the fake, and the real client before the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

import httpx
from typing_extensions import override

from bridge.adapters.clock import SystemClock
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.settings import Api, PlatformSettings
from bridge.adapters.platform.source import PlatformSource
from bridge.adapters.platform.triggers import TriggerSpec
from bridge.domain.model import Batch, SequenceId, TriggerRef, Undecodable
from bridge.domain.settle import Settled
from bridge.ports import Source
from tests.fakes.results import raw_result
from tests.fakes.source import FakeSource
from tests.neighbours.sandbox import Sandbox

PREFIX = "/acme/prod/reinfer_"
KEPT = {"user_properties": {"string:Keep": {"one_of": ["yes"]}}}


class World(Protocol):
    """One trigger on a platform of its own kind, with a filter that lets `keep` through."""

    source: Source
    ref: TriggerRef

    async def upload(self, names: Sequence[str], *, keep: bool = True) -> None:
        """Comments in this order, all uploaded at one and the same instant, later than those before."""

    async def uploaded_at(self, name: str) -> datetime:
        """What the platform says a comment's upload time is."""

    async def fail_next(self, operation: str) -> None:
        """The next call does nothing and fails."""

    async def lose_answer(self, operation: str) -> None:
        """The next call is done, but its answer does not arrive."""

    async def cut_page(self) -> None:
        """The next page comes in half."""

    async def repeat_page(self) -> None:
        """The next fetch gives the page before once more."""


class FakeWorld:
    """All in memory."""

    def __init__(self, *, announces_end: bool) -> None:
        self.fake = FakeSource(announces_end=announces_end)
        self.source: Source = self.fake
        self.ref = TriggerRef(project="org1", dataset="collateral", trigger="dispute")
        self.fake.make(self.ref)
        self._uploads = 0

    async def upload(self, names: Sequence[str], *, keep: bool = True) -> None:
        """One second later than the last."""
        self._uploads += 1
        created_at = f"2020-06-01T13:00:{self._uploads:02}.450Z"
        numbers = [int(name, 16) for name in names]
        self.fake.upload(self.ref, [raw_result(n, created_at=created_at) for n in numbers], filtered=not keep)

    async def uploaded_at(self, name: str) -> datetime:
        """Found by looking."""
        batch = await FakeSource.fetch(self.fake, self.ref, 1024)
        return upload_time(batch, name)

    async def fail_next(self, operation: str) -> None:
        self.fake.fail_next(operation)  # type: ignore[arg-type]

    async def lose_answer(self, operation: str) -> None:
        self.fake.lose_answer(operation)  # type: ignore[arg-type]

    async def cut_page(self) -> None:
        self.fake.cut_page()

    async def repeat_page(self) -> None:
        self.fake.repeat_page()


class SandboxWorld:
    """A source, a dataset and a trigger of its own before a sandbox that others use too."""

    def __init__(self, url: str, token: str, client: PlatformClient) -> None:
        self._faults = f"{url.removesuffix(PREFIX)}/_sandbox/faults"
        self._platform = httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=30
        )
        self._client = client
        self.source: Source = PlatformSource(client)
        self.ref = TriggerRef(project="org1", dataset=f"d-{uuid4().hex[:12]}", trigger="dispute")

    async def prepare(self) -> None:
        """Make what the documents say must be there."""
        source = await self._put(f"sources/{self.ref.project}/{self.ref.dataset}", {"source": {"title": "Mail"}})
        dataset = {"source_ids": [source["source"]["id"]], "has_sentiment": False}
        await self._put(f"datasets/{self.ref.project}/{self.ref.dataset}", {"dataset": dataset})
        spec = TriggerSpec(name=self.ref.trigger, title="Disputes", comment_filter=KEPT)
        made = await self._client.create(self.ref.project, self.ref.dataset, spec)
        assert (made.name, made.title) == ("dispute", "Disputes")

    async def close(self) -> None:
        """Leaves no connection behind."""
        await self._platform.aclose()
        await self._client.aclose()

    async def upload(self, names: Sequence[str], *, keep: bool = True) -> None:
        """One sync call each; the platform's clock must tick between two."""
        await asyncio.sleep(0.003)
        comments = [
            {
                "id": name,
                "timestamp": "2019-01-01T00:00:00Z",
                "messages": [{"body": {"text": f"mail {name} \N{GRINNING FACE}"}}],
                "user_properties": {"string:Keep": "yes" if keep else "no"},
            }
            for name in names
        ]
        route = f"api/v1/sources/{self.ref.project}/{self.ref.dataset}/sync"
        (await self._platform.post(route, json={"comments": comments})).raise_for_status()

    async def uploaded_at(self, name: str) -> datetime:
        """Through the comment itself."""
        batch = await self.source.fetch(self.ref, 1024)
        return upload_time(batch, name)

    async def fail_next(self, operation: str) -> None:
        await self._fault({"op": operation, "kind": "status", "status": 503})

    async def lose_answer(self, operation: str) -> None:
        await self._fault({"op": operation, "kind": "drop", "after": True})

    async def cut_page(self) -> None:
        await self._fault({"op": "fetch", "kind": "cut_body"})

    async def repeat_page(self) -> None:
        await self._fault({"op": "fetch", "kind": "repeat_page"})

    async def _fault(self, fault: Mapping[str, Any]) -> None:
        (await self._platform.post(self._faults, json=[dict(fault)])).raise_for_status()

    async def _put(self, path: str, body: Mapping[str, Any]) -> Any:
        response = await self._platform.put(f"api/v1/{path}", json=body)
        assert response.is_success, response.text
        return response.json()


class SandboxOf(Sandbox):
    """A sandbox of one era, behind a path prefix as tenants have it."""

    profile = "today"

    @override
    def command(self) -> list[str]:
        return [*super().command(), "--profile", self.profile, "--prefix", PREFIX, "--no-warm"]


class SandboxOf2020(SandboxOf):
    """As the documents of 2020 say."""

    profile = "2020"


def client_before(url: str, token: str, api: Api = Api.TRIGGERS, **more: Any) -> PlatformClient:
    """A client that may ask as often as a test wants to."""
    settings = PlatformSettings(base_url=url, token=token, api=api, timeout_s=20, requests_per_s_max=10_000, **more)
    return PlatformClient(settings, SystemClock())


def upload_time(batch: Batch, name: str) -> datetime:
    return next(
        datetime.fromisoformat(result.comment.created_at)
        for result in batch.results
        if not isinstance(result, Undecodable) and result.comment.uid.endswith(f".{name}")
    )


def settled_at(sequence_id: SequenceId) -> Settled:
    return Settled(sequence_id=sequence_id, marks=())


def names_of(batch: Batch) -> list[str]:
    """The names the comments were uploaded with."""
    return [
        (result.uid if isinstance(result, Undecodable) else result.comment.uid).partition(".")[2]
        for result in batch.results
    ]
