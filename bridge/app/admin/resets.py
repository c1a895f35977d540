"""Routes of replays: each reset is a resource with an identity."""

from hashlib import blake2b
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, Response

from bridge.app.admin.auth import Gate, Role
from bridge.app.admin.insight_views import ReplayPreview
from bridge.app.admin.lists import After, Limit, page_of
from bridge.app.admin.parts import PREFIX, AdminParts
from bridge.app.admin.views import Instant, ResetList, ResetRequest, ResetView
from bridge.domain.model import TriggerName
from bridge.domain.standing import Reset
from bridge.engine.desk import UnknownResetError


def reset_routes(parts: AdminParts) -> APIRouter:
    """`/triggers/{name}/resets` and what is under it."""
    router = APIRouter(prefix=PREFIX, tags=["resets"])
    router.include_router(_read(parts))
    router.include_router(_operate(parts))
    return router


def _read(parts: AdminParts) -> APIRouter:
    router = APIRouter(dependencies=[Depends(Gate(parts.tokens, Role.READ))])

    @router.get("/triggers/{name}/resets")
    async def resets(name: str, limit: Limit = 100, after: After = "") -> ResetList:
        standing = parts.desk.seen(TriggerName(name)).standing
        page, following = page_of(reversed(standing.resets), lambda reset: reset.id, limit, after)
        return ResetList(resets=[ResetView.of(name, reset) for reset in page], next=following)

    @router.get("/triggers/{name}/resets/preview")
    async def preview(name: str, to: Instant, until: Instant | None = None) -> ReplayPreview:
        """How much a replay from `to`, before `until`, would bring again: counted, or estimated and said so."""
        plan = parts.desk.seen(TriggerName(name)).plan
        return ReplayPreview.of(await parts.counter.count(plan, to, until))

    @router.get("/triggers/{name}/resets/{reset_id}")
    async def reset(name: str, reset_id: str) -> ResetView:
        standing = parts.desk.seen(TriggerName(name)).standing
        known = standing.reset_of(reset_id)
        if known is None:
            raise UnknownResetError(name, reset_id)
        return ResetView.of(name, known)

    return router


def _operate(parts: AdminParts) -> APIRouter:
    router = APIRouter()
    operator = Annotated[str, Depends(Gate(parts.tokens, Role.OPERATE))]

    @router.post("/triggers/{name}/resets", status_code=202)
    async def reset(
        name: str,
        by: operator,
        request: ResetRequest,
        response: Response,
        idempotency_key: Annotated[str | None, Header(max_length=256)] = None,
    ) -> ResetView:
        """The same `Idempotency-Key` gives the same reset, however often it is sent; another body is refused."""
        wished = Reset(
            id=_reset_id(name, idempotency_key),
            to_comment_created_at=request.to_comment_created_at,
            requested_at=parts.clock.now(),
            requested_by=by,
            reason=request.reason,
            allow_skip=request.allow_skip,
            until=request.until,
            topic_prefix=request.topic_prefix,
        )
        accepted = await parts.desk.reset(TriggerName(name), wished)
        response.headers["Location"] = f"{PREFIX}/triggers/{name}/resets/{accepted.id}"
        return ResetView.of(name, accepted)

    @router.post("/triggers/{name}/resets/{reset_id}/cancel", status_code=202)
    async def cancel(name: str, reset_id: str, by: operator) -> ResetView:
        """Call it off: the trigger goes back to where it stood before. Too late where there is no way back (409)."""
        return ResetView.of(name, await parts.desk.cancel_reset(TriggerName(name), reset_id, by))

    return router


def _reset_id(trigger: str, idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return uuid4().hex[:16]
    return blake2b(f"{trigger}\0{idempotency_key}".encode(), digest_size=8).hexdigest()
