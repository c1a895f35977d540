"""The admin API over a real supervisor and fakes of everything, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from bridge.adapters.platform.wire import decode_result
from bridge.app.admin.api import AdminParts, create_admin
from bridge.app.admin.auth import Tokens
from bridge.app.admin.health import Ping
from bridge.domain.plan import TriggerPlan
from bridge.engine.supervisor import Supervisor
from bridge.ports import Redrive
from tests.fakes.redrive import FakeRedrive
from tests.fakes.topic_reader import FakeReplayCounter, FakeTopicReader
from tests.unit.engine.world import World

READ, OPERATE = "read-token", "operate-token"
TOKENS = Tokens(read=READ, operate=OPERATE)
NO_TOKENS = Tokens(read=None, operate=None)


async def fine() -> None:
    """A neighbour that answers."""


@dataclass(slots=True, kw_only=True)
class Office:
    """`http` asks as an operator."""

    app: FastAPI
    supervisor: Supervisor
    http: httpx.AsyncClient

    def asking(self, token: str | None, *, peer: str = "10.0.0.9", host: str = "bridge.example") -> httpx.AsyncClient:
        """A client that comes from there, with that token or none."""
        return client_of(self.app, token, peer, host)


def client_of(
    app: FastAPI, token: str | None = OPERATE, peer: str = "10.0.0.9", host: str = "bridge.example"
) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(peer, 1234)),
        base_url=f"http://{host}",
        headers={} if token is None else {"Authorization": f"Bearer {token}"},
    )


def admin_of(
    world: World,
    supervisor: Supervisor,
    tokens: Tokens = TOKENS,
    pings: Mapping[str, Ping] | None = None,
    topics: FakeTopicReader | None = None,
    redrive: Redrive | None = None,
) -> FastAPI:
    known = {"kafka": fine, "redis": fine} if pings is None else pings
    return create_admin(
        AdminParts(
            desk=supervisor,
            supervisor=supervisor,
            source=world.source,
            topics=topics or FakeTopicReader(),
            counter=FakeReplayCounter(topics or FakeTopicReader()),
            redrive=redrive or FakeRedrive(),
            tokens=tokens,
            pings=known,
            clock=world.clock,
            decode=decode_result,
        )
    )


@asynccontextmanager
async def open_office(
    world: World,
    plans: Sequence[TriggerPlan] = (),
    *,
    tokens: Tokens = TOKENS,
    pings: Mapping[str, Ping] | None = None,
    topics: FakeTopicReader | None = None,
    redrive: Redrive | None = None,
) -> AsyncIterator[Office]:
    """With its workers running."""
    async with world.running(*plans) as supervisor:
        app = admin_of(world, supervisor, tokens, pings, topics, redrive)
        async with client_of(app) as http:
            yield Office(app=app, supervisor=supervisor, http=http)


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    """RFC 9457."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["type"]) == (status, f"urn:bridge:{code}")
    assert body["title"]
    assert isinstance(body["detail"], str)
