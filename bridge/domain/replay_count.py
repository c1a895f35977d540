"""How much a replay would bring again, counted by the records that are on the topics already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from bridge.domain.instant import parse_instant
from bridge.domain.topic_record import TopicRecord

COUNTED_RECORDS_MAX = 50_000
"""More than this is estimated from as many: the reading shares the processor with the workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCount:
    """`comments` with a record of the trigger, uploaded in the stretch of time that was asked for.

    An estimate where only `records_read` of about `records_there` were read. `kept_since` is when the oldest record
    there was written, where the topics have let older ones go that the replay would bring again; None otherwise.
    """

    comments: int
    is_estimate: bool
    records_read: int
    records_there: int
    kept_since: datetime | None


@dataclass(slots=True, kw_only=True)
class Count:
    """Counts comments once, however many records, routes and generations each has."""

    trigger: str
    since: datetime
    until: datetime | None
    read: int = 0
    uids: set[str] = field(default_factory=set)

    def add(self, records: Iterable[TopicRecord]) -> None:
        """Records of any trigger and any time."""
        for record in records:
            self.read += 1
            if record.trigger == self.trigger and self._is_within(record.created_at):
                self.uids.add(record.uid)

    def _is_within(self, created_at: str) -> bool:
        at = parse_instant(created_at)
        return at is not None and self.since <= at and (self.until is None or at < self.until)

    def result(self, there: int, kept_since: datetime | None) -> ReplayCount:
        """Scaled up where not everything was read; `there` counts offsets, so it is a little more than the records."""
        is_estimate = self.read < there and there > COUNTED_RECORDS_MAX
        scale = there / self.read if is_estimate and self.read else 1.0
        return ReplayCount(
            comments=round(len(self.uids) * scale),
            is_estimate=is_estimate,
            records_read=self.read,
            records_there=max(there, self.read),
            kept_since=kept_since,
        )
