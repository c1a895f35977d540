"""Whether a page lies before what was advanced past: somebody else has moved the position back (D15).

Ids are only compared for being the same (D7): a comment that was updated comes under a new one. Upload times alone are
no proof, since such a comment may come with its first one; only a page full of nothing but older ones is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bridge.domain.errors import Retry
from bridge.domain.instant import parse_instant
from bridge.domain.model import Batch, SequenceId, Undecodable, created_at
from bridge.domain.position import platform_ids
from bridge.domain.standing import NONE_SEEN, REACHED_FIRSTS_MAX, Bookmark, Reached, Span, Standing

LATE_S = 300.0
"""How long after a move of the position without an answer, or after a take-over, an old one may still arrive."""

SPANS_MAX = 8
"""Earlier owners that may have left a move, kept for as long as it may arrive."""

BOUNDARIES_MAX = 256
"""Batches remembered, some 20 kB a trigger; what lies further back is known by its upload times."""

UNANSWERED_MAX = 4
"""The same batch is mostly tried again, and is the same batch."""

BATCH_SIZE_MAX = 1024
"""The platform's largest page."""

PROBE_SIZE = BATCH_SIZE_MAX
"""What is moved back by less shows an id that is known."""


class MovedBack(Retry):
    """The page looks as if it had been advanced past already; it is not carried over before that is looked into."""


@dataclass(slots=True, kw_only=True)
class Trail:
    """What a worker has been answered to have advanced past, in one generation.

    `firsts` and `lasts` are the first and last results of its batches, `high` the latest upload time in them, `place`
    the last position. Until `doubt_until_s` (monotonic) an old move may arrive, and lead to one of the results in
    `late`; `spans` say so of earlier owners, by upload times. `cleared` begins a page that was looked into and found to
    be new. `has_moved`: by this worker. `is_catching_up`: pages are swallowed from where an old move led.
    """

    firsts: dict[SequenceId, None] = field(default_factory=dict)
    lasts: dict[SequenceId, None] = field(default_factory=dict)
    high: datetime | None = None
    place: Bookmark | None = None
    spans: tuple[Span, ...] = ()
    late: dict[SequenceId, None] = field(default_factory=dict)
    doubt_until_s: float = float("-inf")
    cleared: SequenceId = NONE_SEEN
    has_moved: bool = False
    is_catching_up: bool = False
    _late_room: int = 0
    _late_at: tuple[datetime, ...] = ()
    _unanswered: deque[Batch] = field(default_factory=lambda: deque(maxlen=UNANSWERED_MAX))

    def advanced(self, batch: Batch, place: Bookmark) -> None:
        """The platform has answered an advance past this batch, or nothing lay behind the last one."""
        before = self.place
        # An empty page says where the trigger stands and not what lies before it.
        if before and not place.last:
            place = Bookmark(batch_id=place.batch_id, last=before.last, last_at=before.last_at)
        self.place = place
        self.has_moved = self.has_moved or bool(batch.results)
        self.is_catching_up = self.is_catching_up and bool(batch.results or batch.filtered)
        self.cleared = NONE_SEEN
        for behind in (*self._unanswered, batch):
            self._record(behind)
        self._unanswered.clear()

    def unanswered(self, batch: Batch, now_s: float) -> None:
        """An advance past this batch went out; it is past for sure once a later one is answered."""
        self._unanswered.append(batch)
        self.doubt(now_s, 2 * batch.size_asked)

    def doubt(self, now_s: float, results: int) -> None:
        """A move of the position went out and was not answered, or may have been left by whoever was here before.

        It leads to at most so many results behind where the trigger stands now, and not before it.
        """
        if now_s >= self.doubt_until_s:
            self.late.clear()
            self._late_at = ()
        self.doubt_until_s = now_s + LATE_S
        self._late_room = results + 1

    def is_excused(self, page: Batch, now_s: float, now: datetime) -> bool:
        """It was looked into; or it starts where an old move of ours may lead, or with a batch that may still wait."""
        first = _first_id(page)
        is_late = now_s < self.doubt_until_s and first in self.late
        may_wait = any(first in platform_ids(batch) for batch in self._unanswered)
        # From where an old move led, page follows page until something new comes.
        self.is_catching_up = self.is_catching_up or is_late or self._is_in_span(page, now)
        return first in (NONE_SEEN, self.cleared) or may_wait or self.is_catching_up

    def reached(self, standing: Standing, now_s: float, now: datetime, *, is_at_work: bool) -> Reached:
        """To be written down. Unless an old move may still arrive, one who stops work leaves nothing under way."""
        doubt_s = self.doubt_until_s - now_s
        spans = [span for span in self.spans if span.until > now]
        if doubt_s > 0 and self._late_at:
            first, last = min(self._late_at), max(self._late_at)
            # Whole seconds from the start of the doubt, or every writing down would say another instant.
            until = (now + timedelta(seconds=doubt_s)).replace(microsecond=0)
            spans.append(Span(first=first, last=last, until=until))
        return Reached(
            trigger=standing.trigger,
            generation=standing.generation,
            place=self.place,
            high=self.high,
            firsts=tuple(self.firsts)[-REACHED_FIRSTS_MAX:],
            spans=tuple(spans[-SPANS_MAX:]),
            is_at_work=is_at_work or doubt_s > 0,
        )

    def _record(self, batch: Batch) -> None:
        ids = [each for each in platform_ids(batch) if each]
        if not ids:
            return
        for known, sequence_id in ((self.firsts, ids[0]), (self.lasts, ids[-1])):
            known[sequence_id] = None
            if len(known) > BOUNDARIES_MAX:
                del known[next(iter(known))]
        if self._late_room > 0:
            self._record_late(batch)
        latest = parse_instant(created_at(batch.results[-1]))
        self.high = max(filter(None, (self.high, latest)), default=None)

    def _record_late(self, batch: Batch) -> None:
        results = [each for each in batch.results if not isinstance(each, Undecodable)][: self._late_room]
        self._late_room -= len(results)
        self.late.update((each.sequence_id, None) for each in results)
        instants = filter(None, (parse_instant(created_at(each)) for each in results))
        self._late_at = tuple(sorted({*self._late_at, *instants}))

    def _is_in_span(self, page: Batch, now: datetime) -> bool:
        spans = [span for span in self.spans if span.until > now]
        first = next((each for each in page.results if not isinstance(each, Undecodable)), None)
        instant = parse_instant(created_at(first)) if spans and first else None
        return instant is not None and any(span.first <= instant <= span.last for span in spans)


def trail_of(standing: Standing, now_s: float, batch_size: int) -> Trail:
    """What a new worker knows of its predecessors, the last of which may have died with a batch under way."""
    reached = standing.reached
    trail = Trail()
    if reached is None:
        return trail
    if reached.is_at_work:
        trail.doubt(now_s, batch_size)
    if reached.generation == standing.generation:
        trail.firsts = dict.fromkeys(reached.firsts)
        trail.lasts = {reached.place.last: None} if reached.place and reached.place.last else {}
        trail.high, trail.place, trail.spans = reached.high, reached.place, reached.spans
    return trail


def at_work(standing: Standing) -> Standing:
    """Before the first pass: from now on an advance may be under way when the process dies."""
    reached = standing.reached or Reached(trigger=standing.trigger, generation=standing.generation)
    return replace(standing, reached=replace(reached, is_at_work=True))


def check_is_ahead(page: Batch, trail: Trail, now_s: float, now: datetime) -> None:
    """Raises MovedBack for a page that looks as if it lay before what was advanced past.

    Not for what an old move of this trigger's own workers leads to: that is swallowed by the marks or the position
    record, never replayed.
    """
    if is_behind(page, trail) and not trail.is_excused(page, now_s, now):
        raise MovedBack("the platform gives results that were advanced past", code="position_moved_back")


def check_is_not_done(page: Batch, trail: Trail, now_s: float, now: datetime) -> None:
    """The same for a page all of which is published already, where another reason for that is not known.

    A batch that was advanced past by a process that died before it could tell is known by nothing else. One that it
    left published and not advanced past is the first page of the next.
    """
    if trail.has_moved and not trail.is_excused(page, now_s, now):
        raise MovedBack("the platform gives results that are published already", code="position_moved_back")


def is_behind(page: Batch, trail: Trail) -> bool:
    """It holds a result that begins or ends an earlier batch, or is full of older uploads alone."""
    ids = platform_ids(page)
    if not (trail.firsts.keys().isdisjoint(ids) and trail.lasts.keys().isdisjoint(ids)):
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
