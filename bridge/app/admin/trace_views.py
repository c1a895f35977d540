"""What the routes over the topics take and give."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from bridge.app.admin.views import Body, Instant
from bridge.domain.decide import ERROR_MESSAGES
from bridge.domain.redrive import REDRIVEN_MAX, RedriveReport
from bridge.domain.topic_record import TopicRecord


class DeliveryView(BaseModel):
    """One record of a comment. `reason` is a dead letter's, empty on others."""

    trigger: str
    route: str
    generation: int
    topic: str
    partition: int
    offset: int
    written_at: datetime
    comment_created_at: str
    ce_id: str
    dead: bool
    reason: str

    @classmethod
    def of(cls, record: TopicRecord, trigger: str) -> DeliveryView:
        """As it stands on its topic."""
        return cls(
            trigger=trigger,
            route=record.route,
            generation=record.generation,
            topic=record.place.topic,
            partition=record.place.partition,
            offset=record.place.offset,
            written_at=record.written_at,
            comment_created_at=record.created_at,
            ce_id=record.ce_id,
            dead=record.is_dead,
            reason=record.dead_reason,
        )


class Deliveries(BaseModel):
    """Newest first. Where `is_whole` is false there may be more before `searched_since`."""

    deliveries: list[DeliveryView]
    next: str | None
    is_whole: bool
    searched_since: datetime | None


class DeadLetterView(BaseModel):
    """One dead letter."""

    uid: str
    reason: str
    message: str
    original_topic: str
    generation: int
    topic: str
    partition: int
    offset: int
    written_at: datetime
    ce_id: str

    @classmethod
    def of(cls, record: TopicRecord) -> DeadLetterView:
        """As it stands on its topic."""
        return cls(
            uid=record.uid,
            reason=record.dead_reason,
            message=ERROR_MESSAGES.get(record.dead_reason, ""),
            original_topic=record.meant_for,
            generation=record.generation,
            topic=record.place.topic,
            partition=record.place.partition,
            offset=record.place.offset,
            written_at=record.written_at,
            ce_id=record.ce_id,
        )


class DeadLetterList(BaseModel):
    """Newest first. Where `is_whole` is false there may be more before `searched_since`."""

    dead_letters: list[DeadLetterView]
    next: str | None
    is_whole: bool
    searched_since: datetime | None


class RedriveRequest(Body):
    """The oldest `limit` dead letters since then; with `dry_run` nothing is sent."""

    since: Instant | None = None
    limit: int = Field(default=100, ge=1, le=REDRIVEN_MAX)
    dry_run: bool = False


class RedrivenView(BaseModel):
    """What became of one dead letter, `<topic>/<partition>/<offset>`."""

    dead_letter: str
    uid: str
    fate: str
    reason: str
    topics: list[str]


class RedriveView(BaseModel):
    """`is_whole` is false where there are more dead letters than the limit let through."""

    fates: dict[str, int]
    items: list[RedrivenView]
    is_whole: bool

    @classmethod
    def of(cls, report: RedriveReport) -> RedriveView:
        """As it was done."""
        return cls(
            fates=dict(report.fates),
            items=[
                RedrivenView(
                    dead_letter=item.dead_letter,
                    uid=item.uid,
                    fate=item.fate.value,
                    reason=item.reason,
                    topics=list(item.topics),
                )
                for item in report.items
            ],
            is_whole=report.is_whole,
        )
