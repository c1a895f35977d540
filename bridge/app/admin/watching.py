"""Routes that follow and look back: live events, and who did what."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import StreamingResponse

from bridge.app.admin.auth import Gate, Role
from bridge.app.admin.events import CLIENTS_MAX, Broadcast
from bridge.app.admin.history import commands_of
from bridge.app.admin.lists import After, Limit, page_of
from bridge.app.admin.parts import PREFIX, AdminParts
from bridge.app.admin.problems import CodedError
from bridge.app.admin.views import CommandView, History
from bridge.domain.model import TriggerName


def watch_routes(parts: AdminParts) -> APIRouter:
    """`/events` and `/triggers/{name}/history`."""
    router = APIRouter(prefix=PREFIX, tags=["watch"])
    reader = Depends(Gate(parts.tokens, Role.READ))
    broadcast = Broadcast(parts.desk, parts.clock, parts.leaving)

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
        commands = commands_of(parts.desk.seen(TriggerName(name)).standing)
        page, following = page_of(commands, lambda command: command.id, limit, after)
        return History(commands=[CommandView.of(command) for command in page], next=following)

    return router
