"""The platform's triggers in memory, with faults by script. Its pages are read as large ones are, result by result."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from bridge.adapters.platform.wire import decode_result
from bridge.domain.errors import Blocked, BridgeError, Refused, Retry
from bridge.domain.instant import parse_instant
from bridge.domain.model import Batch, Result, SequenceId, TriggerRef, Undecodable
from bridge.domain.settle import Settled
from bridge.domain.unread import Unread

Operation = Literal["fetch", "advance", "reset"]

BEGINNING = SequenceId("beginning")
LONG_AGO = datetime(1950, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The next call of an operation fails; `done` says whether it was done before its answer was lost."""

    error: BridgeError
    done: bool = False


@dataclass(slots=True)
class FakeTrigger:
    """Everything it will ever deliver; `None` stands where its filter leaves a comment out."""

    line: list[Result | Undecodable | None] = field(default_factory=list)
    ids: list[SequenceId] = field(default_factory=list)
    uploaded_at: list[datetime] = field(default_factory=list)
    places: dict[SequenceId, int] = field(default_factory=lambda: {BEGINNING: 0})
    position: SequenceId = BEGINNING


class FakeSource:
    """Passes the contract suite of the Source port. `calls` holds what was asked, in order."""

    def __init__(self, *, announces_end: bool = True) -> None:
        self._announces_end = announces_end
        self._triggers: dict[TriggerRef, FakeTrigger] = {}
        self._faults: defaultdict[Operation, deque[Fault]] = defaultdict(deque)
        self._out: BridgeError | None = None
        self._last_page: dict[TriggerRef, Batch] = {}
        self._repeats = 0
        self.calls: list[tuple[Operation, TriggerRef, str]] = []

    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        """The batch after the position, which does not move."""
        self.calls.append(("fetch", trigger, str(size)))
        self._fail("fetch")
        if not 1 <= size <= 1024:
            raise Refused("fetch: the platform refused the request with 400", code="refused")
        if self._repeats and trigger in self._last_page:
            self._repeats -= 1
            return self._last_page[trigger]
        self._last_page[trigger] = self._page(self._known(trigger), size)
        return self._last_page[trigger]

    async def advance(self, trigger: TriggerRef, settled: Settled) -> None:
        """A stale position moves back, as the platform's may (trap 26)."""
        self.calls.append(("advance", trigger, settled.sequence_id))
        known = self._known(trigger)
        if self._does("advance"):
            if settled.sequence_id not in known.places:
                raise Refused("advance: the platform refused the request with 400", code="refused")
            known.position = settled.sequence_id
        self._fail("advance")

    async def reset(self, trigger: TriggerRef, to_comment_created_at: datetime) -> SequenceId:
        """A comment uploaded at that very instant comes again."""
        self.calls.append(("reset", trigger, to_comment_created_at.isoformat()))
        known = self._known(trigger)
        there = SequenceId(f"reset-{to_comment_created_at.isoformat()}")
        if self._does("reset"):
            earlier = sum(uploaded < to_comment_created_at for uploaded in known.uploaded_at)
            known.places[there] = earlier
            known.position = there
        self._fail("reset")
        return there

    def make(self, trigger: TriggerRef) -> None:
        """A trigger that starts at the beginning of its data."""
        self._triggers[trigger] = FakeTrigger()

    def drop(self, trigger: TriggerRef) -> None:
        """Delete it on the platform."""
        del self._triggers[trigger]

    def upload(self, trigger: TriggerRef, raws: Iterable[bytes], *, filtered: bool = False) -> None:
        """Results to be, in order; the trigger is made where it is not there. `filtered` ones are only counted."""
        known = self._triggers.setdefault(trigger, FakeTrigger())
        for raw in raws:
            result = decode_result(raw)
            created_at = result.created_at if isinstance(result, Undecodable) else result.comment.created_at
            known.line.append(None if filtered else result)
            known.ids.append(result.sequence_id)
            known.uploaded_at.append(parse_instant(created_at) or LONG_AGO)
            known.places[result.sequence_id] = len(known.line)

    def position(self, trigger: TriggerRef) -> SequenceId:
        """Where the next fetch starts behind."""
        return self._known(trigger).position

    def known(self, trigger: TriggerRef) -> FakeTrigger:
        """Everything there is of it."""
        return self._known(trigger)

    def pending(self, trigger: TriggerRef) -> int:
        """How many comments, filtered ones included, lie behind the position."""
        known = self._known(trigger)
        return len(known.line) - known.places[known.position]

    def fail_next(self, operation: Operation, *, times: int = 1, error: BridgeError | None = None) -> None:
        """The next calls do nothing and raise."""
        self._faults[operation].extend([Fault(error=error or _down())] * times)

    def lose_answer(self, operation: Operation, *, times: int = 1, error: BridgeError | None = None) -> None:
        """The next calls are done and raise all the same."""
        self._faults[operation].extend([Fault(error=error or _late(), done=True)] * times)

    def cut_page(self, *, times: int = 1) -> None:
        """The next pages come cut in half, which is as good as not at all."""
        self.fail_next("fetch", times=times, error=Retry("the answer is not a page", code="bad_page"))

    def repeat_page(self, *, times: int = 1) -> None:
        """The next fetches give the page before once more, as if the position had not moved."""
        self._repeats += times

    def forget_page(self) -> None:
        """`repeat_page` repeats nothing from before this."""
        self._last_page.clear()

    def go_down(self, error: BridgeError | None = None) -> None:
        """Every call fails until `come_back`; positions stay."""
        self._out = error or _down()

    def come_back(self) -> None:
        """Ends `go_down`."""
        self._out = None

    def _page(self, known: FakeTrigger, size: int) -> Batch:
        start = known.places[known.position]
        looked_at = known.line[start : start + size]
        end = start + len(looked_at)
        return Batch(
            results=Unread([result.raw for result in looked_at if result is not None], decode_result),
            sequence_id=known.ids[end - 1] if looked_at else known.position,
            filtered=looked_at.count(None),
            is_end=end == len(known.line) if self._announces_end else None,
            size_asked=size,
        )

    def _known(self, trigger: TriggerRef) -> FakeTrigger:
        if trigger not in self._triggers:
            raise Blocked("the platform answered 404: it does not know this", code="trigger_missing")
        return self._triggers[trigger]

    def _does(self, operation: Operation) -> bool:
        """Whether the call has its effect before a fault, if there is one, is seen."""
        fault = self._faults[operation][0] if self._faults[operation] else None
        return self._out is None and (fault is None or fault.done)

    def _fail(self, operation: Operation) -> None:
        if self._out is not None:
            raise self._out
        if self._faults[operation]:
            raise self._faults[operation].popleft().error


def _down() -> Retry:
    return Retry("the platform cannot be reached", code="unreachable")


def _late() -> Retry:
    return Retry("the platform did not answer in time", code="timeout")
