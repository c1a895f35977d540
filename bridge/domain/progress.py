"""A worker's status after a pass that ended well, and after one that was held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.domain.decide import Decision
from bridge.domain.delivery import Delivery
from bridge.domain.errors import BridgeError
from bridge.domain.instant import parse_instant
from bridge.domain.model import Batch, created_at
from bridge.domain.status import LastError, State, Status


def passed(status: Status, batch: Batch, decision: Decision, sent: Sequence[Delivery], now: datetime) -> Status:
    """Counts grown, failures forgotten. All that was `sent` in a pass that ended well is acked."""
    published = Counter(status.published)
    published.update([delivery.route for delivery in sent])
    moved = bool(batch.results or batch.filtered)
    return replace(
        status,
        failures_in_a_row=0,
        next_attempt=None,
        last_progress=now,
        results=status.results + len(batch.results),
        filtered=status.filtered + batch.filtered,
        unmatched=status.unmatched + decision.unmatched,
        skipped_duplicates=status.skipped_duplicates + len(decision.deliveries) - len(sent),
        published=published,
        dead_letters=Counter(status.dead_letters) + Counter(decision.dead_letters),
        shadowed=Counter(status.shadowed) + Counter(decision.shadowed),
        position=batch.sequence_id if moved else status.position,
        last_advance=now if moved else status.last_advance,
        oldest_pending=_oldest_pending(status, batch) if moved and not batch.is_end else None,
    )


def rested(status: Status, now: datetime) -> Status:
    """The same after a page without anything: no count has grown."""
    return replace(status, failures_in_a_row=0, next_attempt=None, last_progress=now, oldest_pending=None)


def idled(status: Status, batch: Batch, now: datetime, until: datetime) -> Status:
    """Nothing more is waiting, and nobody looks before `until`; behind a page without anything it is `rested`, too."""
    if batch.results or batch.filtered:
        return replace(status, state=State.IDLE, reason="", next_attempt=until)
    return replace(
        status,
        state=State.IDLE,
        reason="",
        failures_in_a_row=0,
        next_attempt=until,
        last_progress=now,
        oldest_pending=None,
    )


def held(status: Status, error: BridgeError, wait_s: float, now: datetime) -> Status:
    """One failure more in a row. It is progress all the same: liveness asks whether the loop turns, not if it wins."""
    return replace(
        status,
        failures_in_a_row=status.failures_in_a_row + 1,
        last_error=LastError(code=error.code, message=str(error), at=now),
        next_attempt=now + timedelta(seconds=wait_s),
        last_progress=now,
    )


def _oldest_pending(status: Status, batch: Batch) -> datetime | None:
    """More is waiting behind this batch, uploaded at its last result's time or later."""
    return parse_instant(created_at(batch.results[-1])) if batch.results else status.oldest_pending
