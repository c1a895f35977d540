"""What the admin API takes and gives, as pydantic models: its OpenAPI document is made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bridge.domain.plan import TriggerPlan
from bridge.domain.replay import share_replayed
from bridge.domain.standing import Reset
from bridge.domain.status import Status
from bridge.engine.desk import Seen


def _as_utc(instant: datetime) -> datetime:
    try:
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC this lies outside of the years 1 to 9999") from error


Instant = Annotated[datetime, AfterValidator(_as_utc)]
"""ISO 8601; without a zone it is UTC, as on the platform."""


class Body(BaseModel):
    """Closed: a misspelt key is refused."""

    model_config = ConfigDict(extra="forbid")


class PauseRequest(Body):
    """Why, for whoever finds it paused."""

    reason: str = Field(default="", max_length=1000)


class ResetRequest(Body):
    """A replay from the first comment uploaded at or after `to_comment_created_at`, up to, not including, `until`."""

    to_comment_created_at: Instant
    until: Instant | None = Field(
        default=None, description="The replay ends before it, and the trigger goes back to where it stood"
    )
    topic_prefix: str = Field(
        default="",
        max_length=248,
        description="Stands before every topic of the replay; what is new goes to the usual ones afterwards",
    )
    reason: str = Field(default="", max_length=1000)
    allow_skip: bool = Field(default=False, description="Needed where results would be passed over for good")


class ResetView(BaseModel):
    """One reset."""

    id: str
    trigger: str
    phase: str
    to_comment_created_at: datetime
    requested_at: datetime
    requested_by: str
    reason: str
    allow_skip: bool
    until: datetime | None
    topic_prefix: str
    generation: int | None
    replayed: int
    share_replayed: float | None = Field(description="0 to 1, an estimate by upload times; null where there is none")
    replayed_to: datetime | None = Field(description="Upload time of the latest result replayed")
    cancelled_by: str
    finished_at: datetime | None
    error: str

    @classmethod
    def of(cls, trigger: str, reset: Reset) -> ResetView:
        """From the durable record."""
        return cls(
            id=reset.id,
            trigger=trigger,
            phase=reset.phase.value,
            to_comment_created_at=reset.to_comment_created_at,
            requested_at=reset.requested_at,
            requested_by=reset.requested_by,
            reason=reset.reason,
            allow_skip=reset.allow_skip,
            until=reset.until,
            topic_prefix=reset.topic_prefix,
            generation=reset.generation,
            replayed=reset.replayed,
            share_replayed=share_replayed(reset),
            replayed_to=reset.replayed_to,
            cancelled_by=reset.cancelled_by,
            finished_at=reset.finished_at,
            error=reset.error,
        )


class ErrorView(BaseModel):
    """The last thing that went wrong."""

    code: str
    message: str
    at: datetime


class RouteView(BaseModel):
    """One route and what went along it since this process began."""

    name: str
    topic: str
    shadow: bool
    published: int


class TriggerView(BaseModel):
    """One trigger. Counts are of the owning process."""

    name: str
    project: str
    dataset: str
    trigger: str
    owner: str
    delivery: str
    state: str
    reason: str
    generation: int
    position: str | None
    next_attempt: datetime | None
    lag_seconds: float
    last_advance: datetime | None
    last_error: ErrorView | None
    paused_by: str | None
    reset: ResetView | None
    results: int
    filtered: int
    unmatched: int
    skipped_duplicates: int
    dead_letters: dict[str, int]
    routes: list[RouteView]

    @classmethod
    def of(cls, seen: Seen, now: datetime) -> TriggerView:
        """From the plan, what is written down and what the worker shows."""
        plan, standing, status = seen.plan, seen.standing, seen.status
        open_reset, error = standing.open_reset, status.last_error
        return cls(
            name=plan.name,
            project=plan.ref.project,
            dataset=plan.ref.dataset,
            trigger=plan.ref.trigger,
            owner=seen.owner,
            delivery=plan.delivery.value,
            state=status.state.value,
            reason=status.reason,
            generation=standing.generation,
            position=status.position,
            next_attempt=status.next_attempt,
            lag_seconds=max(0.0, (now - status.oldest_pending).total_seconds()) if status.oldest_pending else 0.0,
            last_advance=status.last_advance,
            last_error=ErrorView(code=error.code, message=error.message, at=error.at) if error else None,
            paused_by=standing.pause.by if standing.pause else None,
            reset=ResetView.of(plan.name, open_reset) if open_reset else None,
            results=status.results,
            filtered=status.filtered,
            unmatched=status.unmatched,
            skipped_duplicates=status.skipped_duplicates,
            dead_letters=dict(status.dead_letters),
            routes=_routes(plan, status),
        )


class TriggerList(BaseModel):
    """`next` is the `after` of the following page, absent on the last."""

    triggers: list[TriggerView]
    next: str | None = None


class ResetList(BaseModel):
    """Newest first."""

    resets: list[ResetView]
    next: str | None = None


class ExplainRequest(Body):
    """One result as a fetch gives it."""

    result: dict[str, object]


def _routes(plan: TriggerPlan, status: Status) -> list[RouteView]:
    counted = dict(status.published)
    routes = [
        RouteView(
            name=route.name,
            topic=route.topic,
            shadow=route.shadow,
            published=status.shadowed.get(route.name, 0) if route.shadow else counted.get(route.name, 0),
        )
        for route in plan.rules.routes
    ]
    if plan.unmatched_topic:
        routes.append(
            RouteView(name="unmatched", topic=plan.unmatched_topic, shadow=False, published=counted.get("unmatched", 0))
        )
    return routes
