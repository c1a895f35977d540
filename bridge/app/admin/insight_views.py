"""What the routes give that people look at: thresholds, results to pick from, history, a replay's size."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from bridge.app.admin.history import Entry
from bridge.domain.census import Threshold
from bridge.domain.labels import spelled
from bridge.domain.replay_count import ReplayCount


class CommandView(BaseModel):
    """Who asked for what."""

    id: str
    at: datetime
    kind: str
    by: str
    reason: str
    detail: str

    @classmethod
    def of(cls, entry: Entry) -> CommandView:
        """As it was written down."""
        return cls(id=entry.id, at=entry.at, kind=entry.kind, by=entry.by, reason=entry.reason, detail=entry.detail)


class Me(BaseModel):
    """Who is asking."""

    who: str
    may_operate: bool


class ReplayPreview(BaseModel):
    """How many `results` a replay would bring again; `counted` says in words what that number is."""

    results: int
    is_estimate: bool
    counted: str
    records_read: int
    kept_since: datetime | None

    @classmethod
    def of(cls, count: ReplayCount) -> ReplayPreview:
        """What no topic has is not in it: results that fit no route and were dropped."""
        what = "comments uploaded in that time that have a record on this trigger's topics"
        how = (
            f", estimated from {count.records_read} of about {count.records_there} records" if count.is_estimate else ""
        )
        lost = ""
        if count.kept_since:
            lost = f"; the topics keep nothing from before {count.kept_since:%Y-%m-%d %H:%M} UTC, so there may be more"
        return cls(
            results=count.comments,
            is_estimate=count.is_estimate or count.kept_since is not None,
            counted=f"Counted are {what}{how}{lost}. Results that no route took and that were dropped are not in it.",
            records_read=count.records_read,
            kept_since=count.kept_since,
        )


class History(BaseModel):
    """Newest first."""

    commands: list[CommandView]
    next: str | None = None


class ThresholdView(BaseModel):
    """A label condition of a route. Both histograms have a bucket for each hundredth of probability.

    `shown` counts results by the largest probability under the label, `decided` those where this threshold alone
    decides whether the route takes them. With `min` moved the route takes `taken` more (fewer where it is lowered, if
    `negated`) by what `decided` has between the old and the new one.
    """

    id: str
    route: str
    topic: str
    shadow: bool
    label: list[str]
    text: str
    min: float
    max: float
    sentiment_min: float | None
    sentiment_max: float | None
    negated: bool
    shown: list[int]
    decided: list[int]
    taken: int

    @classmethod
    def of(cls, threshold: Threshold) -> ThresholdView:
        """As it was counted."""
        leaf, route = threshold.leaf, threshold.route
        return cls(
            id=str(threshold.place),
            route=route.name,
            topic=route.topic,
            shadow=route.shadow,
            label=list(leaf.pattern),
            text=spelled(leaf.pattern),
            min=leaf.min,
            max=leaf.max,
            sentiment_min=leaf.sentiment_min,
            sentiment_max=leaf.sentiment_max,
            negated=threshold.negated,
            shown=list(threshold.shown),
            decided=list(threshold.decided),
            taken=threshold.taken,
        )


class LabelList(BaseModel):
    """Counted by an owner since it began, or since its routes changed: `counted` of `results`.

    Where `counted_here` is false another process counts: these are its numbers as it told them last (`as_of`, every
    half minute at most), or none. `left_out` thresholds of a large rule set are not counted, or not told.
    """

    owner: str
    counted_here: bool
    counted_by: str
    as_of: datetime | None
    since: datetime
    results: int
    counted: int
    left_out: int
    thresholds: list[ThresholdView]
    next: str | None = None


class PeekView(BaseModel):
    """One result as the platform sent it, or why it is left out (`too_large`, or what makes it undecodable)."""

    sequence_id: str
    uid: str
    created_at: str
    left_out: str
    result: dict[str, object] | None
