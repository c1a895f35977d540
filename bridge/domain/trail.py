"""Whether a page lies before what was advanced past: somebody else has moved the position back (D15).

Ids are only compared for being the same (D7): a comment that was updated comes under a new one. Upload times alone are
no proof, since such a comment may come with its first one; only a page full of nothing but older ones is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bridge.domain.errors import Retry
from bridge.domain.instant import parse_instant
from bridge.domain.model import Batch, SequenceId, created_at
from bridge.domain.position import platform_ids
from bridge.domain.standing import NONE_SEEN, REACHED_FIRSTS_MAX, Bookmark, Reached, Standing

LATE_S = 300.0
"""How long after a move of the position without an answer, or after a take-over, an old one may still arrive."""

LATE_RESULTS_MAX = 2 * 1024
"""Such a move leads at most two batches behind where the worker stood then: results that are remembered one by one."""

BOUNDARIES_MAX = 256
"""Batches remembered, some 20 kB a trigger; what lies further back is known by its upload times."""

PROBE_SIZE = 1024
"""The platform's largest page: what is moved back by less shows an id that is known."""


class MovedBack(Retry):
    """The page looks as if it had been advanced past already; it is not carried over before that is looked into."""


@dataclass(slots=True, kw_only=True)
class Trail:
    """What a worker has been answered to have advanced past, in one generation.

    `firsts` and `lasts` are the first and last results of its batches, `high` the latest upload time in them, `place`
    the last position. Until `doubt_until_s` (monotonic) an old move may arrive, and lead to one of the results in
    `late`, the first of which was uploaded at `late_from`; or, where the trigger came from an owner that was in such a
    doubt itself, to what was uploaded from `older_from` on. `cleared` begins a page that was looked into and is new.
    """

    firsts: dict[SequenceId, None] = field(default_factory=dict)
    lasts: dict[SequenceId, None] = field(default_factory=dict)
    high: datetime | None = None
    place: Bookmark | None = None
    late: dict[SequenceId, None] = field(default_factory=dict)
    late_from: datetime | None = None
    older_from: datetime | None = None
    doubt_until_s: float = float("-inf")
    _late_room: int = 0
    cleared: SequenceId = NONE_SEEN

    def advanced(self, batch: Batch, place: Bookmark) -> None:
        """The platform has answered an advance past this batch."""
        self.place = place
        self.cleared = NONE_SEEN
        ids = [each for each in platform_ids(batch) if each]
        if not ids:
            return
        for known, sequence_id in ((self.firsts, ids[0]), (self.lasts, ids[-1])):
            known[sequence_id] = None
            if len(known) > BOUNDARIES_MAX:
                del known[next(iter(known))]
        if not self.late:
            self.late_from = parse_instant(created_at(batch.results[0]))
        recorded = ids[: self._late_room]
        self._late_room -= len(recorded)
        self.late.update(dict.fromkeys(recorded))
        latest = parse_instant(created_at(batch.results[-1]))
        self.high = max(filter(None, (self.high, latest)), default=None)

    def doubt(self, now_s: float) -> None:
        """A move of the position went out and was not answered, or may have been left by whoever was here before.

        It leads no further back than to where the trigger stands now.
        """
        if now_s >= self.doubt_until_s:
            self.late.clear()
            self.late_from = self.older_from = None
        self.doubt_until_s = now_s + LATE_S
        self._late_room = LATE_RESULTS_MAX

    def is_late(self, page: Batch, now_s: float) -> bool:
        """The page starts where an old move of this trigger's own workers may lead."""
        if now_s >= self.doubt_until_s:
            return False
        if _first_id(page) in self.late:
            return True
        first = parse_instant(created_at(page.results[0])) if page.results else None
        return first is not None and self.older_from is not None and first >= self.older_from

    def reached(self, standing: Standing, now_s: float) -> Reached | None:
        """To be written down; None before anything was advanced past."""
        if self.place is None:
            return None
        firsts = tuple(self.firsts)[-REACHED_FIRSTS_MAX:]
        return Reached(
            trigger=standing.trigger,
            generation=standing.generation,
            place=self.place,
            high=self.high,
            firsts=firsts,
            late_from=(self.older_from or self.late_from) if now_s < self.doubt_until_s else None,
        )


def trail_of(standing: Standing, now_s: float) -> Trail:
    """What a new worker knows of its predecessors, the last of which may have left an advance under way."""
    reached = standing.reached
    trail = Trail()
    trail.doubt(now_s)
    if reached is not None and reached.generation == standing.generation:
        trail.firsts = dict.fromkeys(reached.firsts)
        trail.lasts = {reached.place.last: None} if reached.place.last else {}
        trail.high, trail.place, trail.older_from = reached.high, reached.place, reached.late_from
    return trail


def check_is_ahead(page: Batch, trail: Trail, now_s: float) -> None:
    """Raises MovedBack for a page that looks as if it lay before what was advanced past.

    Not for what an old move of this trigger's own workers leads to: that is swallowed by the marks or the position
    record, never replayed.
    """
    if _first_id(page) in (NONE_SEEN, trail.cleared) or trail.is_late(page, now_s):
        return
    if is_behind(page, trail):
        raise MovedBack("the platform gives results that were advanced past", code="position_moved_back")


def is_behind(page: Batch, trail: Trail) -> bool:
    """It holds a result that begins or ends an earlier batch, or is full of older uploads alone."""
    ids = platform_ids(page)
    if any(each in trail.firsts or each in trail.lasts for each in ids):
        return True
    return page.is_full and _is_older(page, trail.high)


def clear(page: Batch, trail: Trail) -> None:
    """It was looked into: what begins so is new."""
    trail.cleared = _first_id(page)


def _first_id(page: Batch) -> SequenceId:
    return next((each for each in platform_ids(page) if each), NONE_SEEN)


def _is_older(page: Batch, high: datetime | None) -> bool:
    """Every result was uploaded before the latest one that was advanced past; equal milliseconds say nothing."""
    if high is None or not page.results:
        return False
    # Nearly every page is told by its last result; only a strange one is read whole.
    for result in reversed(page.results):
        instant = parse_instant(created_at(result))
        if instant is None or instant >= high:
            return False
    return True
