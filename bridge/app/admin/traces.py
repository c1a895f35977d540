"""Routes that read the topics back: where a comment went, which dead letters there are, and deciding them again."""

import asyncio
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from bridge.app.admin.auth import Gate, Role
from bridge.app.admin.lists import After, Limit, page_of
from bridge.app.admin.parts import PREFIX, AdminParts
from bridge.app.admin.problems import CodedError
from bridge.app.admin.trace_views import (
    DeadLetterList,
    DeadLetterView,
    Deliveries,
    DeliveryView,
    RedriveRequest,
    RedriveView,
)
from bridge.app.admin.views import Instant
from bridge.domain.model import TriggerName
from bridge.domain.redrive import RedriveWish
from bridge.domain.topic_record import Bounds, TopicRecord

FOUND_MAX = 1_000
TRACED_BACK = timedelta(days=7)
Since = Annotated[Instant | None, Query(description="Read no record that was written before")]


def trace_routes(parts: AdminParts) -> APIRouter:
    """`/comments/{uid}/deliveries`, `/triggers/{name}/dead-letters` and `/triggers/{name}/redrive`."""
    router = APIRouter(prefix=PREFIX, tags=["topics"])
    router.include_router(_read(parts))
    router.include_router(_operate(parts))
    return router


def _read(parts: AdminParts) -> APIRouter:
    router = APIRouter(dependencies=[Depends(Gate(parts.tokens, Role.READ))])
    desk = parts.desk

    @router.get("/comments/{uid}/deliveries")
    async def deliveries(uid: str, since: Since = None, limit: Limit = 100, after: After = "") -> Deliveries:
        """Its records on the topics of all triggers, newest first; without `since`, of the last week."""
        bounds = Bounds(since=since or parts.clock.now() - TRACED_BACK, found_max=FOUND_MAX)
        plans = [desk.seen(name).plan for name in desk.names()]
        search = await parts.topics.deliveries(uid, plans, bounds)
        page, following = page_of(search.records, _place, limit, after)
        names = {plan.ref.identity: plan.name for plan in plans}
        return Deliveries(
            deliveries=[DeliveryView.of(record, names[record.trigger]) for record in page],
            next=following,
            is_whole=search.is_whole,
            searched_since=search.searched_since,
        )

    @router.get("/triggers/{name}/dead-letters")
    async def dead_letters(name: str, since: Since = None, limit: Limit = 100, after: After = "") -> DeadLetterList:
        """Newest first, within the newest records of the dead-letter topic."""
        plan = desk.seen(TriggerName(name)).plan
        search = await parts.topics.dead_letters(plan, Bounds(since=since, found_max=FOUND_MAX))
        page, following = page_of(search.records, _place, limit, after)
        return DeadLetterList(
            dead_letters=[DeadLetterView.of(record) for record in page],
            next=following,
            is_whole=search.is_whole,
            searched_since=search.searched_since,
        )

    return router


def _operate(parts: AdminParts) -> APIRouter:
    router = APIRouter()
    operator = Annotated[str, Depends(Gate(parts.tokens, Role.OPERATE))]
    turn = asyncio.Lock()

    @router.post("/triggers/{name}/redrive")
    async def redrive(name: str, _: operator, request: RedriveRequest | None = None) -> RedriveView:
        """Decide dead letters again by the rules of now. Repeating it sends nothing twice."""
        plan = parts.desk.seen(TriggerName(name)).plan
        wish = request or RedriveRequest()
        if turn.locked():
            raise CodedError(409, "conflict", "another redrive is under way in this process")
        async with turn:
            report = await parts.redrive.redrive(
                plan, RedriveWish(since=wish.since, limit=wish.limit, dry_run=wish.dry_run)
            )
        return RedriveView.of(report)

    return router


def _place(record: TopicRecord) -> str:
    return record.place.spelled
