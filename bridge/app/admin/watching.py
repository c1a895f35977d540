"""Routes that follow and look back: live events, and who did what."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from bridge.app.admin.auth import Gate, Role
from bridge.app.admin.events import CLIENTS_MAX, Broadcast
from bridge.app.admin.history import entries_of
from bridge.app.admin.insight_views import CommandView, History, Me
from bridge.app.admin.lists import After, Limit, page_of
from bridge.app.admin.parts import PREFIX, AdminParts
from bridge.app.admin.problems import CodedError
from bridge.domain.model import TriggerName

HISTORY_MAX = 1_000


def watch_routes(parts: AdminParts) -> APIRouter:
    """`/me`, `/events` and `/triggers/{name}/history`."""
    router = APIRouter(prefix=PREFIX, tags=["watch"])
    reader = Depends(Gate(parts.tokens, Role.READ))
    broadcast = Broadcast(parts.desk, parts.clock, parts.leaving)

    @router.get("/me")
    async def me(who: Annotated[str, reader]) -> Me:
        """As whom this request was let in: a role, or `loopback` where no token is configured."""
        return Me(who=who, may_operate=who != Role.READ.value)

    @router.get("/events", response_class=StreamingResponse, dependencies=[reader])
    async def events() -> StreamingResponse:
        """Server-sent events, about one a second: `snapshot` with all triggers, then `changes`."""
        if broadcast.is_full:
            detail = f"{CLIENTS_MAX} clients are listening already; ask for the list instead"
            raise CodedError(503, "too_many_listeners", detail, {"Retry-After": "10"})
        # proxies that collect an answer before they pass it on would make a live view of nothing
        return StreamingResponse(
            broadcast.stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    @router.get("/triggers/{name}/history")
    async def history(name: str, _: Annotated[str, reader], limit: Limit = 100, after: After = "") -> History:
        """Commands, newest first: who asked for what, when, and why."""
        past = await parts.desk.history(TriggerName(name), HISTORY_MAX)
        entries = entries_of(past, parts.desk.seen(TriggerName(name)).standing)
        page, following = page_of(entries, lambda entry: entry.id, limit, after)
        return History(commands=[CommandView.of(entry) for entry in page], next=following)

    return router
