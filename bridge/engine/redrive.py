"""Dead letters decided again: read what is on the topics, decide, publish what is missing, mark (I2, I4, I8, I9).

A redriven record has the idempotency key that it would have had at the first time. So what its result brought to other
topics then is found by its mark and not sent again, a redrive that died in the middle goes on where it was, and a
consumer that drops repeats by `ce_id` never sees one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bridge.domain.dead_letter import DeadLetterBody, opened
from bridge.domain.decide import decide
from bridge.domain.delivery import Delivery, MarkKey, Outcome, Receipt
from bridge.domain.errors import BridgeError, Retry
from bridge.domain.model import Batch, Generation, Result, SequenceId, TriggerName, Undecodable
from bridge.domain.plan import DeliveryMode, TriggerPlan
from bridge.domain.record import compact
from bridge.domain.redrive import Fate, Redriven, RedriveReport, RedriveWish
from bridge.domain.settle import acked_prefixes, is_refused_for_size
from bridge.domain.topic_record import REDRIVEN_FROM, TopicRecord
from bridge.engine.desk import ConflictError
from bridge.ports import DeadLetterLog, Ledger, Publisher, Recovery

AT_ONCE = 64
BEFORE = timedelta(hours=1)
"""The other records of a dead letter's result were sent in the same pass, or in one that failed shortly before."""

Decode = Callable[[bytes], Result | Undecodable]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveNeighbours:
    """What a redrive talks to; `decode` reads a result as it is read in an answer to fetch."""

    log: DeadLetterLog
    publisher: Publisher
    ledger: Ledger
    recovery: Recovery
    decode: Decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A dead letter, decided again: the deliveries that are missing, or why there are none."""

    record: TopicRecord
    missing: Sequence[Delivery] = ()
    fate: Fate = Fate.REDRIVEN
    reason: str = ""

    def ended(self, fate: Fate, reason: str = "") -> Redriven:
        return Redriven(
            dead_letter=self.record.place.spelled,
            uid=self.record.uid,
            fate=fate,
            reason=reason or self.reason,
            topics=tuple(dict.fromkeys(delivery.topic for delivery in self.missing)),
        )


@dataclass(slots=True, kw_only=True)
class Run:
    """One redrive under way. `there` are the marks of what is on the topics."""

    plan: TriggerPlan
    wish: RedriveWish
    there: set[MarkKey]
    items: list[Redriven] = field(default_factory=list)
    unmarked: int = 0


class Redriver:
    """Serves any trigger, each one at a time. Two processes at once could send a record twice, under one `ce_id`."""

    def __init__(self, neighbours: RedriveNeighbours) -> None:
        self._to = neighbours
        self._under_way: set[TriggerName] = set()

    async def redrive(
        self, plan: TriggerPlan, wish: RedriveWish, told: Callable[[int, int], None] = lambda _done, _all: None
    ) -> RedriveReport:
        """As the port says; raises ConflictError while the trigger's last one is under way."""
        if plan.name in self._under_way:
            raise ConflictError(f"dead letters of {plan.name} are being redriven already")
        self._under_way.add(plan.name)
        try:
            return await self._redriven(plan, wish, told)
        finally:
            self._under_way.discard(plan.name)

    async def _redriven(self, plan: TriggerPlan, wish: RedriveWish, told: Callable[[int, int], None]) -> RedriveReport:
        uids, oldest, count = await self._surveyed(plan, wish.since)
        since = oldest - BEFORE if oldest else None
        there = await self._to.log.marks_of(plan, uids, since) if count else frozenset()
        run = Run(plan=plan, wish=wish, there=set(there))
        stopped_by = ""
        try:
            await self._carry(run, count, told)
        except BridgeError as error:
            if not run.items:
                raise
            stopped_by = error.code
        return RedriveReport(
            trigger=plan.name,
            items=tuple(run.items),
            is_whole=not stopped_by and len(run.items) >= count and not _not_acked(run.items),
            stopped_by=stopped_by,
            unmarked=run.unmarked,
        )

    async def _carry(self, run: Run, count: int, told: Callable[[int, int], None]) -> None:
        async with aclosing(self._to.log.dead_letters_in_order(run.plan, run.wish.since)) as landed:
            async for records in landed:
                for start in range(0, len(records), AT_ONCE):
                    is_over = await self._slice(run, records[start : start + AT_ONCE])
                    told(min(len(run.items), count), count)
                    if is_over:
                        return

    async def _surveyed(self, plan: TriggerPlan, since: datetime | None) -> tuple[set[str], datetime | None, int]:
        """The comments whose dead letters there are, the oldest one's time, and how many there are."""
        uids: set[str] = set()
        oldest: datetime | None = None
        count = 0
        async with aclosing(self._to.log.dead_letters_in_order(plan, since)) as landed:
            async for records in landed:
                for record in records:
                    uids.add(record.uid)
                    oldest = min(oldest or record.written_at, record.written_at)
                    count += 1
        return uids, oldest, count

    async def _slice(self, run: Run, records: Sequence[TopicRecord]) -> bool:
        """True when the redrive is over: by its limit, or since going on would overtake what was not acked (I9)."""
        letters = await self._decided(run, records)
        acted = sum(item.fate in (Fate.REDRIVEN, Fate.WOULD_REDRIVE) for item in run.items)
        due = _within(letters, run.wish.limit - acted)
        to_send = [delivery for letter in due for delivery in letter.missing]
        receipts: Mapping[MarkKey, Receipt] = {}
        if to_send and not run.wish.dry_run:
            answered = await self._to.publisher.publish(to_send)
            receipts = {receipt.mark: receipt for receipt in answered}
            run.there |= {mark for mark, receipt in receipts.items() if receipt.outcome is Outcome.ACKED}
            await self._mark(run, list(acked_prefixes(answered)))
        run.items += [_ended(letter, receipts, dry_run=run.wish.dry_run) for letter in due]
        return len(due) < len(letters) or _not_acked(run.items)

    async def _mark(self, run: Run, marks: Sequence[MarkKey]) -> None:
        """So that a pass which comes to the same result again finds it done (I2); in transactions nobody asks."""
        if run.plan.delivery is not DeliveryMode.AT_LEAST_ONCE or not marks:
            return
        try:
            await self._to.ledger.mark(run.plan.ref, marks)
        except Retry:
            run.unmarked += len(marks)

    async def _decided(self, run: Run, records: Sequence[TopicRecord]) -> list[Letter]:
        bodies = [opened(record.value) for record in records]
        lost = {body.uid for body in bodies if body is not None and body.raw is None and body.is_identified}
        recovered = await self._to.recovery.recover(run.plan.ref, lost) if lost else {}
        sent_before: set[MarkKey] = set(run.there)
        letters = []
        for record, body in zip(records, bodies, strict=True):
            letter = self._decide(run.plan, record, body, recovered, sent_before)
            sent_before |= {delivery.mark for delivery in letter.missing}
            letters.append(letter)
        return letters

    def _decide(
        self,
        plan: TriggerPlan,
        record: TopicRecord,
        body: DeadLetterBody | None,
        recovered: Mapping[str, bytes],
        sent_before: set[MarkKey],
    ) -> Letter:
        if body is None:
            return Letter(record=record, fate=Fate.NOT_RECOVERED, reason="unreadable")
        raw = body.raw if body.raw is not None else _identified(body, recovered)
        if raw is None:
            reason = "gone_from_platform" if body.is_identified else "no_identifiers"
            return Letter(record=record, fate=Fate.NOT_RECOVERED, reason=reason)
        deliveries = self._deliveries(plan, record, raw)
        dead = next((each.dead_letter_reason for each in deliveries if each.dead_letter_reason), None)
        alive = [each for each in deliveries if not each.dead_letter_reason]
        missing = [_from(record, each) for each in alive if each.mark not in sent_before]
        if missing:
            return Letter(record=record, missing=missing, reason=dead or "")
        if dead:
            return Letter(record=record, fate=Fate.STILL_DEAD, reason=dead)
        return Letter(record=record, fate=Fate.ALREADY_THERE if alive else Fate.NO_ROUTE)

    def _deliveries(self, plan: TriggerPlan, record: TopicRecord, raw: bytes) -> Sequence[Delivery]:
        result = self._to.decode(raw)
        batch = Batch(results=[result], sequence_id=SequenceId(""), filtered=0, is_end=None, size_asked=1)
        return decide(batch, plan, Generation(record.generation), {}, "").deliveries


def _identified(body: DeadLetterBody, recovered: Mapping[str, bytes]) -> bytes | None:
    """A recovered result under the sequence id of its dead letter, so that its marks are those it would have had."""
    found = recovered.get(body.uid)
    return found and b'{"sequence_id":%b,%b' % (compact(body.sequence_id), found[1:])


def _from(record: TopicRecord, delivery: Delivery) -> Delivery:
    """With the dead letter's place, so that the record can be followed back."""
    from_there = record.place.spelled.encode()
    names, texts = (*delivery.own_names, REDRIVEN_FROM), (*delivery.own_texts, from_there)
    return replace(delivery, own_names=names, own_texts=texts)


def _within(letters: Sequence[Letter], left: int) -> list[Letter]:
    """The first of them, with no more than `left` that have something to send."""
    due = []
    for letter in letters:
        left -= bool(letter.missing)
        if left < 0:
            break
        due.append(letter)
    return due


def _ended(letter: Letter, receipts: Mapping[MarkKey, Receipt], *, dry_run: bool) -> Redriven:
    if not letter.missing:
        return letter.ended(letter.fate)
    if dry_run:
        return letter.ended(Fate.WOULD_REDRIVE)
    own = [receipts[delivery.mark] for delivery in letter.missing]
    refused = next((receipt for receipt in own if is_refused_for_size(receipt)), None)
    failed = next((receipt for receipt in own if receipt.outcome is not Outcome.ACKED and receipt != refused), None)
    if failed:
        return letter.ended(Fate.NOT_ACKED, failed.code or failed.outcome.value)
    if refused:
        return letter.ended(Fate.STILL_DEAD, refused.code)
    return letter.ended(Fate.REDRIVEN)


def _not_acked(items: Sequence[Redriven]) -> bool:
    return any(item.fate is Fate.NOT_ACKED for item in items)
