"""Routes that show why results go where they go: explain, the thresholds' counts, and results to pick from."""

import asyncio
import json
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from bridge.app.admin.auth import Gate, Role
from bridge.app.admin.insight_views import LabelList, PeekView, ThresholdView
from bridge.app.admin.lists import After, Limit, page_of
from bridge.app.admin.parts import PREFIX, AdminParts
from bridge.app.admin.problems import AsciiJSON, CodedError
from bridge.app.admin.views import ExplainRequest
from bridge.domain.explain import explain, explanation_as_json
from bridge.domain.model import Batch, Result, TriggerName, Undecodable, created_at

PEEKS_MAX = 2
"""At a time: each is a request to the platform, which the workers need for themselves."""

PEEK_BYTES_MAX = 4 * 1024 * 1024


def explain_routes(parts: AdminParts) -> APIRouter:
    """They change nothing, so reading rights do. Text goes out here and nowhere into a log (I10)."""
    router = APIRouter(prefix=PREFIX, tags=["explain"], dependencies=[Depends(Gate(parts.tokens, Role.READ))])
    peeking = asyncio.Semaphore(PEEKS_MAX)

    @router.post("/triggers/{name}/explain", response_model=dict[str, object])
    async def explain_result(name: str, request: ExplainRequest) -> AsciiJSON:
        """Which routes hold for this result, which do not, and what would turn each over."""
        plan = parts.desk.seen(TriggerName(name)).plan
        result = parts.decode(json.dumps(request.result).encode())
        if isinstance(result, Undecodable):
            detail = f"this is not a result: {result.reason}; it would become a dead letter"
            raise CodedError(422, "not_a_result", detail)
        return AsciiJSON(explanation_as_json(explain(plan.rules, result)))

    @router.get("/triggers/{name}/labels")
    async def labels(name: str, limit: Limit = 100, after: After = "") -> LabelList:
        """How probable the labels were that routes ask for, and which results each threshold decided."""
        seen = parts.desk.seen(TriggerName(name))
        known = parts.desk.counted(TriggerName(name))
        taken = known.taken
        page, following = page_of(taken.thresholds, lambda each: str(each.place), limit, after)
        return LabelList(
            owner=seen.owner,
            counted_here=known.is_here,
            counted_by=known.by,
            as_of=known.at,
            since=taken.since,
            results=taken.results,
            counted=taken.counted,
            left_out=taken.left_out,
            thresholds=[ThresholdView.of(each) for each in page],
            next=following,
        )

    @router.get("/triggers/{name}/peek", response_model=dict[str, list[PeekView]])
    async def peek(name: str, limit: Annotated[int, Query(ge=1, le=50)] = 10) -> Response:
        """Some results: those `waiting` behind the position, by a fetch that moves nothing, and `recent` ones."""
        plan = parts.desk.seen(TriggerName(name)).plan
        if peeking.locked():
            raise CodedError(429, "busy", "others are peeking; try again in a moment", {"Retry-After": "2"})
        async with peeking:
            waiting: Batch = await parts.source.fetch(plan.ref, limit)
        census = parts.desk.census(TriggerName(name))
        recent = list(reversed(census.recent))[:limit] if census else []
        body = b'{"waiting":%b,"recent":%b}' % (_shown(waiting.results[:limit]), _shown(recent))
        return Response(body, media_type="application/json")

    return router


def _shown(results: Iterable[Result | Undecodable]) -> bytes:
    """A JSON list; each result is in it by its own bytes, up to a bound for all."""
    room, shown = PEEK_BYTES_MAX, []
    for result in results:
        undecodable = isinstance(result, Undecodable)
        fits = not undecodable and len(result.raw) <= room
        about = {
            "sequence_id": result.sequence_id,
            "uid": result.uid if isinstance(result, Undecodable) else result.comment.uid,
            "created_at": created_at(result),
            "left_out": result.reason if isinstance(result, Undecodable) else "" if fits else "too_large",
        }
        room -= len(result.raw) if fits else 0
        raw = result.raw if fits else b"null"
        shown.append(json.dumps(about).encode()[:-1] + b',"result":' + raw + b"}")
    return b"[" + b",".join(shown) + b"]"
