"""`/livez`, `/readyz`, `/metrics`: no token, nothing secret."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from bridge.domain.status import is_stuck
from bridge.engine.desk import Workplace
from bridge.ports import Clock

Ping = Callable[[], Awaitable[str | None]]
"""Raises what is wrong with a neighbour; gives another word than `ok` where nothing is and nothing was asked."""

PING_TIMEOUT_S = 2.0


def health_routes(supervisor: Workplace, pings: Mapping[str, Ping], clock: Clock) -> APIRouter:
    """Liveness is progress, readiness is the neighbours."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def livez() -> JSONResponse:
        now = clock.now()
        stuck = [status.name for status in supervisor.statuses() if is_stuck(status, now)]
        return JSONResponse({"status": "stuck" if stuck else "ok", "stuck": stuck}, 503 if stuck else 200)

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        answers = await asyncio.gather(*(_answer(ping) for ping in pings.values()))
        state = "ok" if supervisor.is_ready else "starting"
        parts = {"state": state, **{name: word for name, (_, word) in zip(pings, answers, strict=True)}}
        ready = supervisor.is_ready and all(is_fine for is_fine, _ in answers)
        return JSONResponse({"status": "ok" if ready else "not_ready", "parts": parts}, 200 if ready else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router


async def _answer(ping: Ping) -> tuple[bool, str]:
    try:
        async with asyncio.timeout(PING_TIMEOUT_S):
            return True, await ping() or "ok"
    except Exception as error:  # noqa: BLE001 - whatever keeps a neighbour from answering is the answer
        return False, getattr(error, "code", None) or type(error).__name__
