"""Routes that show triggers, and pause and resume them."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends

from bridge.app.admin.auth import Gate, Role
from bridge.app.admin.lists import After, Limit
from bridge.app.admin.parts import PREFIX, AdminParts
from bridge.app.admin.views import PauseRequest, TriggerList, TriggerView
from bridge.domain.model import TriggerName


def trigger_routes(parts: AdminParts) -> APIRouter:
    """`/triggers`, `/triggers/{name}` and its two switches."""
    router = APIRouter(prefix=PREFIX, tags=["triggers"])
    router.include_router(_read(parts))
    router.include_router(_operate(parts))
    return router


def _read(parts: AdminParts) -> APIRouter:
    router = APIRouter(dependencies=[Depends(Gate(parts.tokens, Role.READ))])

    def view(name: TriggerName) -> TriggerView:
        return TriggerView.of(parts.desk.seen(name), parts.clock.now())

    @router.get("/triggers")
    async def triggers(limit: Limit = 100, after: After = "") -> TriggerList:
        page = list(islice((name for name in parts.desk.names() if name > after), limit + 1))
        shown = [view(name) for name in page[:limit]]
        return TriggerList(triggers=shown, next=shown[-1].name if len(page) > limit else None)

    @router.get("/triggers/{name}")
    async def trigger(name: str) -> TriggerView:
        return view(TriggerName(name))

    return router


def _operate(parts: AdminParts) -> APIRouter:
    router = APIRouter()
    desk = parts.desk
    operator = Annotated[str, Depends(Gate(parts.tokens, Role.OPERATE))]

    @router.post("/triggers/{name}/pause", status_code=202)
    async def pause(name: str, by: operator, request: PauseRequest | None = None) -> None:
        await desk.pause(TriggerName(name), by, request.reason if request else "")

    @router.post("/triggers/{name}/resume", status_code=202)
    async def resume(name: str, by: operator) -> None:
        await desk.resume(TriggerName(name), by)

    return router
