"""What stands between a worker and its neighbours: nothing leaves a process that may own the trigger no more (D15)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any

from bridge.domain.delivery import Delivery, Receipt
from bridge.domain.errors import Retry
from bridge.domain.model import Batch, SequenceId, TriggerName, TriggerRef
from bridge.domain.position import Position
from bridge.domain.settle import Settled
from bridge.domain.standing import Standing
from bridge.engine.cycle import Neighbours
from bridge.ports import Publisher, Source, StateStore, TransactionalPublisher

OWNERSHIP_LOST = "ownership_lost"


class Leaving(Retry):
    """The worker is to stop, and has nothing under way that would have to end first."""


class Guard:
    """One worker's leave to act. `sure_s` says how long its process surely owns the trigger.

    An advance and a reset of the position must be over before anybody else can own the trigger: they are refused when
    less is left than the `advance_s` they can take. What is published late is a repeat at worst, and is only refused
    when nothing is left.
    """

    def __init__(self, sure_s: Callable[[], float], advance_s: float) -> None:
        self._sure_s = sure_s
        self._advance_s = advance_s
        self._is_leaving = False
        self._cut = Cut()

    def enter(self) -> None:
        """The worker goes to work."""
        self._is_leaving = False

    def leave(self) -> None:
        """Cut fetches and take-overs off from now on: nothing is under way on their account."""
        self._is_leaving = True
        self._cut.off()

    def permit(self) -> None:
        """Raises Retry where the trigger may be somebody else's by now."""
        self._permit(0.0)

    def permit_move(self) -> None:
        """Raises Retry where it may become somebody else's before a change of the position has ended."""
        self._permit(self._advance_s)

    def _permit(self, needed_s: float) -> None:
        left_s = self._sure_s()
        if left_s <= needed_s:
            raise Retry(
                f"this replica surely owns the trigger for {max(0.0, left_s):.1f} s only, of {needed_s:.1f} s needed:"
                " its group does not answer, or it was frozen",
                code=OWNERSHIP_LOST,
            )

    def unless_leaving(self) -> Cut:
        """Raises Leaving, in the midst of what is awaited, as soon as the worker is to go."""
        self._cut = Cut()
        if self._is_leaving:
            self._cut.off()
        return self._cut


class Cut:
    """What is awaited within can be cut `off`, and is then a Leaving.

    As `asyncio.timeout` does it, without its timer: there is one for each poll.
    """

    __slots__ = ("_cancelled_before", "_is_off", "_task")

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._cancelled_before = 0
        self._is_off = False

    def off(self) -> None:
        """Now, or before it begins; one that has ended is left alone."""
        if self._task is not None and not self._is_off:
            self._task.cancel()
        self._is_off = True

    async def __aenter__(self) -> None:
        if self._is_off:
            # Cancelled here, what ends without a wait would leave the cancellation to the task's next one.
            raise _leaving()
        task = self._task = asyncio.current_task()
        if task is not None:
            self._cancelled_before = task.cancelling()

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        # Whoever else cancelled the task wants its end, and not that of this wait alone.
        is_ours = self._is_off and task is not None and task.uncancel() <= self._cancelled_before
        if is_ours and kind is asyncio.CancelledError:
            raise _leaving() from None


def _leaving() -> Leaving:
    return Leaving("the worker is to stop", code="leaving")


def guarded(neighbours: Neighbours, guard: Guard) -> Neighbours:
    """The neighbours of one worker, behind its guard. The ledger is not: marking what was acked late only helps."""
    return replace(
        neighbours,
        source=GuardedSource(neighbours.source, guard),
        publisher=GuardedPublisher(neighbours.publisher, guard),
        transactions=GuardedTransactions(neighbours.transactions, guard),
    )


class GuardedSource:
    """The platform."""

    def __init__(self, source: Source, guard: Guard) -> None:
        self._source = source
        self._guard = guard

    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        """As the port says; raises Leaving too. A page that nobody here may carry over is not asked for."""
        self._guard.permit()
        async with self._guard.unless_leaving():
            return await self._source.fetch(trigger, size)

    async def advance(self, trigger: TriggerRef, settled: Settled) -> None:
        """As the port says."""
        self._guard.permit_move()
        await self._source.advance(trigger, settled)

    async def reset(self, trigger: TriggerRef, to_comment_created_at: datetime) -> SequenceId:
        """As the port says."""
        self._guard.permit_move()
        return await self._source.reset(trigger, to_comment_created_at)


class GuardedPublisher:
    """The broker."""

    def __init__(self, publisher: Publisher, guard: Guard) -> None:
        self._publisher = publisher
        self._guard = guard

    def prepare(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """As the port says; nothing is sent, so nobody need be asked."""
        return self._publisher.prepare(deliveries)

    async def publish(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        """As the port says."""
        self._guard.permit()
        return await self._publisher.publish(deliveries)


class GuardedTransactions:
    """The broker, in transactions. A take-over would shut out the owner: it needs the leave too."""

    def __init__(self, transactions: TransactionalPublisher, guard: Guard) -> None:
        self._transactions = transactions
        self._guard = guard

    async def take_over(self, trigger: TriggerName) -> Position | None:
        """As the port says; raises Leaving too. What is cut off is an owner less, never a record."""
        self._guard.permit()
        async with self._guard.unless_leaving():
            return await self._transactions.take_over(trigger)

    async def publish_atomically(
        self, trigger: TriggerName, deliveries: Sequence[Delivery], position: Position
    ) -> Sequence[Receipt]:
        """As the port says."""
        self._guard.permit()
        return await self._transactions.publish_atomically(trigger, deliveries, position)

    async def release(self, trigger: TriggerName) -> None:
        """As the port says."""
        await self._transactions.release(trigger)


class GuardedStore:
    """What is written down."""

    def __init__(self, store: StateStore, sure_s: Callable[[], float]) -> None:
        self._store = store
        self._guard = Guard(sure_s, 0.0)

    async def load(self) -> Mapping[TriggerName, Standing]:
        """As the port says."""
        return await self._store.load()

    async def save(self, name: TriggerName, standing: Standing) -> None:
        """As the port says."""
        self._guard.permit()
        await self._store.save(name, standing)
