"""The ports of one process of a run: each call goes through the points, where it can be struck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from bridge.domain.delivery import Delivery, MarkKey, Outcome, Receipt
from bridge.domain.errors import Retry
from bridge.domain.model import Batch, SequenceId, TriggerName, TriggerRef
from bridge.domain.plan import OnLedgerOutage
from bridge.domain.settle import Settled
from bridge.domain.standing import ResetPhase, Standing
from tests.fakes.publisher import PARTITIONS, answered, partition_of
from tests.history.events import Advanced, Fetched
from tests.prove.faults import TO_PLATFORM, Fault, Process
from tests.prove.outside import Outside

REPEATED_AFTER_POINTS = 3


@dataclass(slots=True)
class Platform:
    """The Source of one process. `names_workers`: the judge is told who it was (I6)."""

    outside: Outside
    process: Process
    names_workers: bool = True
    _page: frozenset[SequenceId] = frozenset()

    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        if await self._at("fetch") is Fault.REPEAT:
            self.outside.source.repeat_page()
        before = self.outside.source.position(trigger)
        page = await self.outside.source.fetch(trigger, size)
        self.outside.served(page, before)
        self._page = frozenset(result.sequence_id for result in page.results)
        self.outside.events.append(
            Fetched(
                at_ms=self.outside.tick(),
                trigger=trigger.identity,
                from_sequence_id=before,
                sequence_ids=tuple(result.sequence_id for result in page.results),
                batch_id=page.sequence_id,
                worker=self._worker,
            )
        )
        await self._at("fetched")
        return page

    async def advance(self, trigger: TriggerRef, settled: Settled) -> None:
        is_way_back = self._is_way_back(settled)
        if not is_way_back:
            self._check_acked()

        async def effect(*, is_late: bool = False) -> None:
            pending = self.outside.pending
            await self.outside.source.advance(trigger, settled)
            at_ms = self.outside.tick()
            is_late |= self.process.froze.is_set()
            # One of a zombie that goes ahead of the owner is no advance of the owner's: what that still sends is not
            # advanced past yet.
            if not is_way_back and (not is_late or self.outside.pending > pending):
                self.outside.events.append(
                    Advanced(
                        at_ms=at_ms,
                        trigger=trigger.identity,
                        sequence_id=settled.sequence_id,
                        is_late=is_late,
                        worker="" if is_late else self._worker,
                    )
                )

        fault = await self._at("advance")
        what = f"{TO_PLATFORM}advance"
        if is_way_back:
            what = f"{TO_PLATFORM}return"
            self.outside.points.forget_late_but(what)
        if fault is not None and fault.is_late:
            self.outside.points.later(fault.points, what, lambda: effect(is_late=True))
            raise Retry("the answer is late", code="timeout")
        if fault is Fault.REPEAT:
            self.outside.points.later(REPEATED_AFTER_POINTS, what, lambda: effect(is_late=True))
        await effect()
        await self._at("advanced")

    async def reset(self, trigger: TriggerRef, to_comment_created_at: datetime) -> SequenceId:
        async def effect() -> None:
            there = await self.outside.source.reset(trigger, to_comment_created_at)
            self.outside.source.forget_page()
            self.outside.reset_done(there)

        fault = await self._at("reset")
        instant = f"{TO_PLATFORM}{to_comment_created_at.isoformat()}"
        self.outside.points.forget_late_but(instant)
        if fault is not None and fault.is_late:
            self.outside.points.later(fault.points, instant, effect)
            raise Retry("the answer is late", code="timeout")
        if fault is Fault.REPEAT:
            await effect()
        await effect()
        await self._at("was reset")
        return self.outside.source.position(trigger)

    def _is_way_back(self, settled: Settled) -> bool:
        """From a replay with an end to where the trigger stood before: a reset, by an advance."""
        reset = self.outside.standing.open_reset
        if reset is None or reset.phase is not ResetPhase.RETURNING:
            return False
        return reset.saved is not None and reset.saved.batch_id == settled.sequence_id

    def _check_acked(self) -> None:
        """I1: the judge sees what is appended; only here can be seen that it was acked, too."""
        generation = self.outside.standing.generation
        for mark, delivery in self.outside.sent.items():
            is_past = delivery.sequence_id in self._page and f"{generation}" == _generation(delivery)
            if is_past and mark not in self.outside.acked:
                self.outside.breaches.append(f"I1: advances past {delivery.sequence_id}, which was not acked")

    @property
    def _worker(self) -> str:
        return str(self.process.number) if self.names_workers else ""

    async def _at(self, step: str) -> Fault | None:
        return await self.outside.at(self.process, step)


@dataclass(slots=True)
class Standings:
    """The StateStore of one process."""

    outside: Outside
    process: Process

    async def load(self) -> Mapping[TriggerName, Standing]:
        await self.outside.at(self.process, "load")
        return dict(self.outside.standings)

    async def save(self, name: TriggerName, standing: Standing) -> None:
        await self.outside.at(self.process, "save")
        self.outside.saved(self.outside.standing, standing)
        self.outside.standings[name] = standing
        await self.outside.at(self.process, "saved")


@dataclass(slots=True)
class Broker:
    """The Publisher of one process: records fail, or their answers do, one by one.

    `_line` is the producer in use. After a doubt the next one shuts it out of each partition it has reached, so that
    what was still on its way there is refused.
    """

    outside: Outside
    process: Process
    _line: int = 0
    _reached: dict[tuple[str, int], int] = field(default_factory=dict)

    def prepare(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        return deliveries

    async def publish(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        await self.outside.at(self.process, "publish")
        broken: set[tuple[str, int]] = set()
        receipts = []
        for delivery in deliveries:
            place = delivery.topic, partition_of(delivery, PARTITIONS)
            receipt = _not_sent(delivery, place) if place in broken else await self._send(delivery, place)
            receipts.append(receipt)
            if receipt.outcome is not Outcome.ACKED and receipt.code != "too_large":
                broken.add(place)
        if broken:
            self._line += 1
            self.outside.unknown()
        try:
            await self.outside.at(self.process, "answers")
        except Retry:
            self._line += 1
            self.outside.unknown()
            return [_in_doubt(each) for each in receipts]
        self.outside.acked |= {each.mark for each in receipts if each.outcome is Outcome.ACKED}
        return answered(deliveries, receipts)

    async def _send(self, delivery: Delivery, place: tuple[str, int]) -> Receipt:
        try:
            fault = await self.outside.at(self.process, "append")
        except Retry:
            return _unknown(delivery, place)
        if fault is Fault.REFUSE:
            return replace(_unknown(delivery, place), outcome=Outcome.FAILED, code="record_refused")
        if fault is not None and (fault.is_late or fault.is_straggler):
            return await self._send_slowly(delivery, place, fault)
        self._reached[place] = self._line
        (receipt,) = await self.outside.broker.publish([delivery])
        if receipt.outcome is Outcome.ACKED:
            self.outside.sent[delivery.mark] = delivery
        return _unknown(delivery, place) if fault is Fault.LOSE else receipt

    async def _send_slowly(self, delivery: Delivery, place: tuple[str, int], fault: Fault) -> Receipt:
        line = self._line

        async def effect() -> None:
            if self._reached.get(place, line) <= line:
                (receipt,) = await self.outside.broker.publish([delivery])
                if receipt.outcome is Outcome.ACKED:
                    self.outside.sent[delivery.mark] = delivery
                is_of_the_past = _generation(delivery) != f"{self.outside.standing.generation}"
                if self.process.is_out or is_of_the_past:
                    self.outside.zombie(self.outside.now_ms, self.outside.now_ms)
                else:
                    self.outside.unknown()

        self.outside.points.later(fault.points, "record", effect)
        if fault.is_straggler:
            await self.outside.points.kill(self.process)
        return _unknown(delivery, place)


@dataclass(slots=True)
class Marks:
    """The Ledger of one process. An outage is no cause of a repeat, but where publishing without it was chosen."""

    outside: Outside
    process: Process
    policy: OnLedgerOutage

    async def marked(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> frozenset[MarkKey]:
        try:
            await self.outside.at(self.process, "marked?")
            found = await self.outside.ledger.marked(trigger, marks)
            await self.outside.at(self.process, "marked")
        except Retry:
            if self.policy is OnLedgerOutage.PUBLISH:
                self.outside.mark_lost()
            raise
        return found

    async def mark(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> None:
        if not self.outside.acked.issuperset(marks):
            self.outside.breaches.append("I2: marks what was not acked")
        fault = await self.outside.at(self.process, "mark")
        if fault is not None and fault.is_late:
            self.outside.points.later(fault.points, "mark", lambda: self._land(trigger, marks))
            raise Retry("the answer is late", code="ledger_timeout")
        await self.outside.ledger.mark(trigger, marks)
        await self.outside.at(self.process, "kept")

    async def _land(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> None:
        """A ledger that is out by then never gets it."""
        with suppress(Retry):
            await self.outside.ledger.mark(trigger, marks)


def _generation(delivery: Delivery) -> str:
    return dict(delivery.headers)["ce_generation"].decode()


def _unknown(delivery: Delivery, place: tuple[str, int]) -> Receipt:
    topic, partition = place
    return Receipt(mark=delivery.mark, outcome=Outcome.UNKNOWN, topic=topic, partition=partition, code="timeout")


def _not_sent(delivery: Delivery, place: tuple[str, int]) -> Receipt:
    return replace(_unknown(delivery, place), outcome=Outcome.FAILED, code="not_sent")


def _in_doubt(receipt: Receipt) -> Receipt:
    """What becomes of it when the answer is lost."""
    if receipt.outcome is not Outcome.ACKED:
        return receipt
    return replace(receipt, outcome=Outcome.UNKNOWN, offset=-1, code="timeout")
