"""The admin API: list and see triggers, pause, resume, replay, explain."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Response

from bridge import __version__
from bridge.app.admin import problems
from bridge.app.admin.auth import Gate, Role, Tokens
from bridge.app.admin.health import Ping, health_routes
from bridge.app.admin.limits import BodyLimit
from bridge.app.admin.problems import AsciiJSON, CodedError
from bridge.app.admin.views import (
    ExplainRequest,
    PauseRequest,
    ResetList,
    ResetRequest,
    ResetView,
    TriggerList,
    TriggerView,
)
from bridge.domain.explain import explain, explanation_as_json
from bridge.domain.model import Result, TriggerName, Undecodable
from bridge.domain.standing import Reset
from bridge.engine.desk import Desk
from bridge.engine.supervisor import Supervisor
from bridge.ports import Clock

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminParts:
    """What the API is made over: `desk` answers for the deployment, `supervisor` for the health of this process."""

    desk: Desk
    supervisor: Supervisor
    tokens: Tokens
    pings: Mapping[str, Ping]
    clock: Clock
    decode: Callable[[bytes], Result | Undecodable]


def create_admin(parts: AdminParts) -> FastAPI:
    """The ASGI application; it runs in the event loop of the workers."""
    app = FastAPI(title="bridge admin API", version=__version__)
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.include_router(health_routes(parts.supervisor, parts.pings, parts.clock))
    app.include_router(_read_routes(parts))
    app.include_router(_reset_routes(parts))
    app.include_router(_explain_routes(parts))
    app.include_router(_operate_routes(parts))
    return app


def _read_routes(parts: AdminParts) -> APIRouter:
    router = APIRouter(prefix=PREFIX, dependencies=[Depends(Gate(parts.tokens, Role.READ))])

    def view(name: TriggerName) -> TriggerView:
        return TriggerView.of(parts.desk.seen(name), parts.clock.now())

    @router.get("/triggers")
    async def triggers(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100, after: Annotated[str, Query(max_length=256)] = ""
    ) -> TriggerList:
        page = list(islice((name for name in parts.desk.names() if name > after), limit + 1))
        shown = [view(name) for name in page[:limit]]
        return TriggerList(triggers=shown, next=shown[-1].name if len(page) > limit else None)

    @router.get("/triggers/{name}")
    async def trigger(name: str) -> TriggerView:
        return view(TriggerName(name))

    return router


def _reset_routes(parts: AdminParts) -> APIRouter:
    router = APIRouter(prefix=PREFIX, dependencies=[Depends(Gate(parts.tokens, Role.READ))])

    @router.get("/triggers/{name}/resets")
    async def resets(name: str) -> ResetList:
        standing = parts.desk.seen(TriggerName(name)).standing
        return ResetList(resets=[ResetView.of(name, reset) for reset in reversed(standing.resets)])

    @router.get("/triggers/{name}/resets/{reset_id}")
    async def reset(name: str, reset_id: str) -> ResetView:
        standing = parts.desk.seen(TriggerName(name)).standing
        for known in standing.resets:
            if known.id == reset_id:
                return ResetView.of(name, known)
        raise CodedError(404, "unknown_reset", f"trigger {name!r} has no reset {reset_id!r}")

    return router


def _explain_routes(parts: AdminParts) -> APIRouter:
    router = APIRouter(prefix=PREFIX, dependencies=[Depends(Gate(parts.tokens, Role.READ))])

    @router.post("/triggers/{name}/explain", response_model=dict[str, object])
    async def explain_result(name: str, request: ExplainRequest) -> AsciiJSON:
        plan = parts.desk.seen(TriggerName(name)).plan
        result = parts.decode(json.dumps(request.result).encode())
        if isinstance(result, Undecodable):
            detail = f"this is not a result: {result.reason}; it would become a dead letter"
            raise CodedError(422, "not_a_result", detail)
        return AsciiJSON(explanation_as_json(explain(plan.rules, result)))

    return router


def _operate_routes(parts: AdminParts) -> APIRouter:
    router = APIRouter(prefix=PREFIX)
    desk = parts.desk
    operator = Annotated[str, Depends(Gate(parts.tokens, Role.OPERATE))]

    @router.post("/triggers/{name}/pause", status_code=202)
    async def pause(name: str, by: operator, request: PauseRequest | None = None) -> None:
        await desk.pause(TriggerName(name), by, request.reason if request else "")

    @router.post("/triggers/{name}/resume", status_code=202)
    async def resume(name: str, by: operator) -> None:
        await desk.resume(TriggerName(name), by)

    @router.post("/triggers/{name}/resets", status_code=202)
    async def reset(
        name: str,
        by: operator,
        request: ResetRequest,
        response: Response,
        idempotency_key: Annotated[str | None, Header(max_length=256)] = None,
    ) -> ResetView:
        """The same `Idempotency-Key` gives the same reset, however often it is sent."""
        wished = Reset(
            id=_reset_id(name, idempotency_key),
            to_comment_created_at=request.to_comment_created_at,
            requested_at=parts.clock.now(),
            requested_by=by,
            reason=request.reason,
            allow_skip=request.allow_skip,
        )
        accepted = await desk.reset(TriggerName(name), wished)
        response.headers["Location"] = f"{PREFIX}/triggers/{name}/resets/{accepted.id}"
        return ResetView.of(name, accepted)

    return router


def _reset_id(trigger: str, idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return uuid4().hex[:16]
    return blake2b(f"{trigger}\0{idempotency_key}".encode(), digest_size=8).hexdigest()
