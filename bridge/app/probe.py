"""One comment through the running service: uploaded, waited for on the topics, deleted."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bridge.adapters.kafka.watch import Arrival, Watch, watching
from bridge.adapters.platform.workspace import Workspace
from bridge.app.config.settings import Settings
from bridge.domain.errors import Blocked
from bridge.ports import Clock

START_TIMEOUT_S = 30.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """Where the comment came out, and how long it took."""

    comment_id: str
    route: str
    arrival: Arrival
    seconds: float


async def probe(settings: Settings, source: str, text: str, clock: Clock, timeout_s: float) -> Landed | None:
    """None when it is on no topic within the time. Raises Retry or Blocked where somebody cannot be asked."""
    topics = frozenset().union(*(plan.topics for plan in settings.triggers))
    async with AsyncExitStack() as opened:
        watch = await opened.enter_async_context(watching(settings.kafka, topics, START_TIMEOUT_S))
        if not watch.topics and not settings.kafka.topics.create:
            raise Blocked(f"none of the topics is there: {', '.join(sorted(topics))}", code="topic_missing")
        platform = await opened.enter_async_context(Workspace(settings.platform, clock))
        comment_id, began = secrets.token_hex(16), clock.monotonic_s()
        message = {"subject": {"text": "bridge probe"}, "body": {"text": text}, "from": "probe@example.com"}
        comment = {"id": comment_id, "timestamp": f"{clock.now():%Y-%m-%dT%H:%M:%SZ}", "messages": [message]}
        await platform.comments.sync(source, [comment])
        try:
            async with asyncio.timeout(timeout_s):
                arrival = await _found(watch, comment_id, clock)
        except TimeoutError:
            return None
        finally:
            await platform.comments.delete(source, [comment_id])
        route = arrival.headers.get("ce_route", b"").decode("utf-8", "replace")
        return Landed(
            comment_id=comment_id, route=route, arrival=arrival, seconds=round(clock.monotonic_s() - began, 3)
        )


async def _found(watch: Watch, comment_id: str, clock: Clock) -> Arrival:
    """The first record about the comment, whose uid is the source's id, a dot and the comment's own."""
    suffix = f".{comment_id}".encode()
    while True:
        for arrival in await watch.poll():
            if arrival.headers.get("ce_subject", b"").endswith(suffix):
                return arrival
        await clock.sleep(POLL_S)
