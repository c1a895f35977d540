"""Bugs of exactly_once that the exploration must find: mistakes somebody could make in the engine or at the broker."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from typing_extensions import override

from bridge.domain.decide import decide
from bridge.domain.delivery import Delivery, Receipt
from bridge.domain.errors import Retry
from bridge.domain.instant import parse_instant
from bridge.domain.model import Batch, Generation, TriggerName, TriggerRef, created_at
from bridge.domain.plan import TriggerPlan
from bridge.domain.position import Position, committed_part, position_after
from bridge.domain.settle import Settled
from bridge.engine import atomic_cycle, worker
from bridge.engine.cycle import Memory, Neighbours, Pass
from bridge.signals import Signals
from tests.fakes.transactions import FakeTransactions, Hook, State, TransactionalLog
from tests.prove.outside import RECORD_BYTES_MAX


async def advances_first(
    plan: TriggerPlan, generation: Generation, memory: Memory, neighbours: Neighbours, signals: Signals
) -> Pass:
    """The pass with its last two steps exchanged."""
    page = await atomic_cycle.owned_page(plan, generation, memory, neighbours, signals)
    position = memory.tenure.position if memory.tenure else None
    committed = committed_part(page, position)
    batch = committed or page
    decision = decide(batch, plan, generation, memory.refused, "")
    advanced = bool(batch.results or batch.filtered)
    if advanced:
        await neighbours.source.advance(plan.ref, Settled(sequence_id=batch.sequence_id, marks=()))
    to_send = () if committed else decision.deliveries
    if batch.results and not committed:
        after = position_after(batch, to_send, plan.ref, generation, position)
        await atomic_cycle.commit(plan, to_send, after, memory, neighbours, signals)
    return Pass(batch=batch, decision=decision, sent=to_send, advanced=advanced)


async def keeps_tenure(
    plan: TriggerPlan,
    deliveries: Sequence[Delivery],
    after: Position,
    memory: Memory,
    neighbours: Neighbours,
    signals: Signals,
) -> Sequence[Receipt]:
    """A commit in doubt that is taken for none: the producer and what was known before it are used again."""
    tenure = memory.tenure
    try:
        return await true_commit(plan, deliveries, after, memory, neighbours, signals)
    except Retry:
        memory.tenure = tenure
        raise


true_commit = atomic_cycle.commit


class ReusedProducers(FakeTransactions):
    """A producer goes on after a doubt, in the transaction that is still open, and ends that with its next commit."""

    @override
    async def publish_atomically(
        self, trigger: TriggerName, deliveries: Sequence[Delivery], position: Position
    ) -> Sequence[Receipt]:
        epoch = self._epochs.get(trigger)
        try:
            receipts = await super().publish_atomically(trigger, deliveries, position)
        except Retry:
            if epoch is not None:
                self._epochs[trigger] = epoch
            raise
        for transaction in self.log.transactions:
            if (transaction.trigger, transaction.epoch, transaction.state) == (trigger, epoch, State.OPEN):
                transaction.state = State.COMMITTED
        return receipts


class ReadsFirst(FakeTransactions):
    """The position is read before the owner of then is shut out."""

    @override
    async def take_over(self, trigger: TriggerName) -> Position | None:
        position = self.log.position(trigger)
        await super().take_over(trigger)
        return position


class NeverFenced(FakeTransactions):
    """Two processes with transactional ids of their own."""

    @override
    def _refuse_if_fenced(self, trigger: TriggerName, epoch: int) -> None:
        return


def of_any_generation(recorded: Position | None, _: TriggerRef, __: Generation) -> Position | None:
    """A reset that does not void the record."""
    return recorded


class ByTime:
    """Whether a page was committed, told by upload times: comments of one upload share theirs (D7)."""

    def __init__(self) -> None:
        self._times = {"": ""}

    def position_after(
        self,
        batch: Batch,
        deliveries: Sequence[Delivery],
        ref: TriggerRef,
        generation: Generation,
        before: Position | None,
    ) -> Position:
        self._times[batch.sequence_id] = created_at(batch.results[-1])
        return position_after(batch, deliveries, ref, generation, before)

    def committed_part(self, page: Batch, position: Position | None) -> Batch | None:
        if position is None or not page.results:
            return None
        first, last = parse_instant(created_at(page.results[0])), parse_instant(self._times[position.batch_id])
        return page if first and last and first <= last else None


def advance_before_commit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(worker, "run_atomic_cycle", advances_first)


def reuse(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(atomic_cycle, "commit", keeps_tenure)


def any_generation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(atomic_cycle, "in_force", of_any_generation)


def by_time(patch: pytest.MonkeyPatch) -> None:
    times = ByTime()
    patch.setattr(atomic_cycle, "position_after", times.position_after)
    patch.setattr(atomic_cycle, "committed_part", times.committed_part)


def reused(log: TransactionalLog, hook: Hook) -> FakeTransactions:
    return ReusedProducers(log, hook=hook, record_bytes_max=RECORD_BYTES_MAX)


def reads_first(log: TransactionalLog, hook: Hook) -> FakeTransactions:
    return ReadsFirst(log, hook=hook, record_bytes_max=RECORD_BYTES_MAX)


def never_fenced(log: TransactionalLog, hook: Hook) -> FakeTransactions:
    return NeverFenced(log, hook=hook, record_bytes_max=RECORD_BYTES_MAX)
