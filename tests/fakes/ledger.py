"""A Ledger in memory, with faults by script."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bridge.domain.delivery import MarkKey
from bridge.domain.errors import BridgeError, Retry
from bridge.domain.model import TriggerRef
from bridge.ports import Clock
from tests.fakes.clock import FakeClock

Operation = Literal["marked", "mark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The next call of an operation fails; `done` says whether it was done before its answer was lost."""

    error: BridgeError
    done: bool = False


class FakeLedger:
    """Passes the contract suite of the Ledger port. `calls` holds what was asked, in order.

    `answers_after_s` is how long it takes to say what is marked.
    """

    def __init__(self, clock: Clock | None = None, *, key_ttl_s: float = 86_400.0) -> None:
        self._clock = clock or FakeClock(manual=True)
        self._key_ttl_s = key_ttl_s
        self._until: dict[tuple[str, MarkKey], float] = {}
        self._faults: defaultdict[Operation, deque[Fault]] = defaultdict(deque)
        self._out: BridgeError | None = None
        self.answers_after_s = 0.0
        self.calls: list[tuple[Operation, str, tuple[MarkKey, ...]]] = []

    async def marked(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> frozenset[MarkKey]:
        """Which of these are marked."""
        self.calls.append(("marked", trigger.identity, tuple(marks)))
        if self.answers_after_s:
            await self._clock.sleep(self.answers_after_s)
        self._fail("marked")
        now = self._clock.monotonic_s()
        return frozenset(mark for mark in marks if self._until.get((trigger.identity, mark), now) > now)

    async def mark(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> None:
        """Mark these for at least the configured time."""
        self.calls.append(("mark", trigger.identity, tuple(marks)))
        fault = self._faults["mark"][0] if self._faults["mark"] else None
        if self._out is None and (fault is None or fault.done):
            until = self._clock.monotonic_s() + self._key_ttl_s
            self._until.update({(trigger.identity, mark): until for mark in marks})
        self._fail("mark")

    def fail_next(self, operation: Operation, *, times: int = 1, error: BridgeError | None = None) -> None:
        """The next calls do nothing and raise."""
        self._faults[operation].extend([Fault(error=error or _down())] * times)

    def lose_answer(self, operation: Operation, *, times: int = 1, error: BridgeError | None = None) -> None:
        """The next calls are done and raise all the same."""
        self._faults[operation].extend([Fault(error=error or _late(), done=True)] * times)

    def go_down(self, error: BridgeError | None = None) -> None:
        """Every call fails until `come_back`; the marks stay."""
        self._out = error or _down()

    def come_back(self) -> None:
        """Ends `go_down`."""
        self._out = None

    def flush(self) -> None:
        """Forget every mark: a named cause of duplicates (I5)."""
        self._until.clear()

    def holds(self, trigger: TriggerRef) -> frozenset[MarkKey]:
        """Every mark of a trigger that has not expired."""
        now = self._clock.monotonic_s()
        return frozenset(
            mark for (owner, mark), until in self._until.items() if owner == trigger.identity and until > now
        )

    def _fail(self, operation: Operation) -> None:
        if self._out is not None:
            raise self._out
        if self._faults[operation]:
            raise self._faults[operation].popleft().error


def _down() -> Retry:
    return Retry("the ledger is down", code="ledger_unavailable")


def _late() -> Retry:
    return Retry("the ledger did not answer in time", code="ledger_timeout")
