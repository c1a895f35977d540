"""One pass of the data's way: fetch, decide, skip what is marked, publish, mark, advance."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, assert_never

from bridge.domain.decide import NOTHING, Decision, decide
from bridge.domain.delivery import AllAcked, Delivery, MarkKey, Receipt
from bridge.domain.errors import Blocked, BridgeError, Retry, StopTrigger
from bridge.domain.model import Batch, Generation
from bridge.domain.plan import OnLedgerOutage, TriggerPlan
from bridge.domain.poison import PoisonWatch
from bridge.domain.position import Position
from bridge.domain.settle import Held, Settled, is_refused_for_size, settle
from bridge.domain.standing import Bookmark, Reset
from bridge.domain.trail import Trail, check_is_ahead, check_is_not_done
from bridge.domain.window import Cut, bookmark_after, cut
from bridge.ports import Clock, Ledger, Publisher, Source, TransactionalPublisher
from bridge.signals import Signals

TURNS_TO_ASK = 4
"""Of the event loop, until a question for the ledger is on its way; with fewer it leaves later, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What a pass talks to."""

    source: Source
    publisher: Publisher
    transactions: TransactionalPublisher
    ledger: Ledger
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """A trigger that is taken over for transactions: in which generation, and where it stands.

    `used_at_s` is when it last committed (monotonic); `skips` counts the committed pages that came since in a row.
    """

    generation: Generation
    position: Position | None
    used_at_s: float
    skips: int = 0


@dataclass(slots=True, kw_only=True)
class Memory:
    """What a worker remembers from one pass to the next; losing it costs repeats, never results.

    `unmarked`: acked, but the ledger was out when they were to be marked. `refused`: what the broker will not take as
    it is, with its reason; the next pass makes dead letters of them. `poison`: the recent share of dead letters.
    `tenure`: None until the trigger is taken over, and again from the moment a transaction is in doubt.
    `bookmark`: where the trigger stands, None before the first pass and behind a reset. `trail`: what it has been
    advanced past.
    """

    unmarked: set[MarkKey] = field(default_factory=set)
    refused: dict[MarkKey, str] = field(default_factory=dict)
    poison: PoisonWatch = field(default_factory=PoisonWatch)
    tenure: Tenure | None = None
    bookmark: Bookmark | None = None
    trail: Trail = field(default_factory=Trail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A batch whose records are sent and answered for; what is left is to judge it and to move the position.

    `sent` are the deliveries of this pass; those done before are the others. `poison` counts if the batch is settled.
    """

    cut: Cut
    decision: Decision
    sent: Sequence[Delivery]
    poison: PoisonWatch
    generation: Generation
    began_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """A pass that ended well: all that was `sent` is acked.

    `advanced` is false where there was nothing to advance past, and where it `is_last` of a replay.
    """

    batch: Batch
    decision: Decision
    sent: Sequence[Delivery]
    advanced: bool
    is_last: bool = False


async def run_cycle(
    plan: TriggerPlan,
    generation: Generation,
    memory: Memory,
    neighbours: Neighbours,
    signals: Signals,
    window: Reset | None = None,
) -> Pass:
    """Carry one batch over. Raises a BridgeError where the position is held; then nothing is lost, ever (I1, I7).

    With a window only what belongs to that replay is carried.
    """
    began_s = neighbours.clock.monotonic_s()
    with signals.cycle(plan.name) as traceparent:
        with signals.step(plan.name, "fetch"):
            page = await neighbours.source.fetch(plan.ref, plan.batch_size)
        signals.fetched(plan.name, page)
        if is_idle(page, memory, window):
            return rested(page, memory)
        batch = cut(page, window)

        with signals.step(plan.name, "decide"):
            decision = decide(batch.batch, plan, generation, memory.refused, traceparent)
        # A large page is read while it is decided: whatever asks for its ids comes after that.
        check_is_ahead(page, memory.trail, began_s, neighbours.clock.now())
        poison = watched_for_poison(plan, memory.poison, batch.batch, decision)

        with signals.step(plan.name, "skip"):
            asking = marked_before(plan, decision, memory, neighbours, signals)
            done_before, ready = await made_ready(decision, asking, neighbours.publisher)
        to_send = [delivery for delivery in ready if delivery.mark not in done_before] if done_before else ready
        if decision.deliveries and not to_send:
            check_is_not_done(page, memory.trail, began_s, neighbours.clock.now())
        memory.trail.is_catching_up = memory.trail.is_catching_up and not to_send

        with signals.publishing(plan.name, to_send) as sending:
            receipts = await neighbours.publisher.publish(sending.deliveries) if to_send else ()
            sending.answered(receipts)
        signals.published(plan.name, to_send, receipts)

        verdict = settle(batch.batch, decision.deliveries, done_before, receipts)
        remember(memory, receipts)
        with signals.step(plan.name, "mark"):
            await mark(plan, verdict.marks, memory, neighbours, signals)

        carried = Carried(
            cut=batch,
            decision=decision,
            sent=to_send,
            poison=poison,
            generation=generation,
            began_s=began_s,
        )
        ended = await concluded(plan, carried, verdict, memory, neighbours, signals)
        if ended.advanced or batch.is_last:
            memory.unmarked.clear()
        return ended


def is_idle(page: Batch, memory: Memory, window: Reset | None) -> bool:
    """Nothing is behind the position and nothing is left over: most passes of most triggers, so they end here."""
    return not (page.results or page.filtered or memory.unmarked or window)


def rested(page: Batch, memory: Memory) -> Pass:
    """The end of such a pass: what `concluded` would do, by less."""
    memory.bookmark = bookmark_after(page, memory.bookmark)
    memory.trail.advanced(page, memory.bookmark)
    memory.refused.clear()
    return Pass(batch=page, decision=NOTHING, sent=(), advanced=False)


async def concluded(
    plan: TriggerPlan,
    carried: Carried,
    verdict: Settled | Held,
    memory: Memory,
    neighbours: Neighbours,
    signals: Signals,
) -> Pass:
    """The end of every pass: the position moves past what is settled, or is held by a BridgeError (I1).

    Behind the last batch of a replay it is not advanced: it goes back to where it was before, once that is written
    down. Advanced first and killed then, the replay would run on into what nobody has got yet.
    """
    batch = carried.cut.batch
    match verdict:
        case Held():
            raise why_held(verdict, carried.sent)
        case Settled():
            memory.bookmark = bookmark_after(batch, memory.bookmark)
            advanced = bool(batch.results or batch.filtered) and not carried.cut.is_last
            if advanced:
                await advance(plan, batch, verdict, memory, neighbours, signals)
        case never:
            assert_never(never)

    if advanced or not (batch.results or carried.cut.is_last):
        memory.trail.advanced(batch, memory.bookmark)
    memory.poison = carried.poison
    memory.refused.clear()
    if advanced or (carried.cut.is_last and batch.results):
        took_s = neighbours.clock.monotonic_s() - carried.began_s
        signals.advanced(plan.name, batch, carried.decision, len(carried.sent), took_s, carried.generation)
    return Pass(
        batch=batch,
        decision=carried.decision,
        sent=carried.sent,
        advanced=advanced,
        is_last=carried.cut.is_last,
    )


async def advance(
    plan: TriggerPlan, batch: Batch, verdict: Settled, memory: Memory, neighbours: Neighbours, signals: Signals
) -> None:
    """Move the position; without an answer it may be moved late (D15)."""
    try:
        with signals.step(plan.name, "advance"):
            await neighbours.source.advance(plan.ref, verdict)
    except BaseException:
        memory.trail.unanswered(batch, neighbours.clock.monotonic_s())
        raise


def watched_for_poison(plan: TriggerPlan, poison: PoisonWatch, batch: Batch, decision: Decision) -> PoisonWatch:
    """Stop before anything of the batch is sent when too large a share of the recent results is poisonous (I8)."""
    # A result that cannot go several ways is one poisonous result: the share is of results.
    among = decision.deliveries if decision.dead_letters else ()
    poisonous = {delivery.sequence_id for delivery in among if delivery.dead_letter_reason}
    watch = poison.after(len(batch.results), len(poisonous))
    if plan.dead_letter and watch.is_over(plan.dead_letter.stop_when_share_over):
        reasons = ", ".join(f"{reason} {results}" for reason, results in sorted(decision.dead_letters.items()))
        raise StopTrigger(
            f"more than {plan.dead_letter.stop_when_share_over:.0%} of the recent results are dead letters"
            f" ({reasons or 'in earlier batches'}); the position is held: mend the cause, then resume",
            code="too_many_dead_letters",
        )
    return watch


async def marked_before(
    plan: TriggerPlan, decision: Decision, memory: Memory, neighbours: Neighbours, signals: Signals
) -> Set[MarkKey]:
    """Which deliveries are done already. Without the ledger: hold, or publish by choice (D5)."""
    marks = [delivery.mark for delivery in decision.deliveries]
    if not marks:
        return frozenset()
    try:
        return memory.unmarked | await neighbours.ledger.marked(plan.ref, marks)
    except Retry as outage:
        if plan.on_ledger_outage is OnLedgerOutage.HOLD:
            raise
        signals.ledger_bypassed(plan.name, outage)
        return frozenset(memory.unmarked)


async def made_ready(
    decision: Decision, asking: Coroutine[Any, Any, Set[MarkKey]], publisher: Publisher
) -> tuple[Set[MarkKey], Sequence[Delivery]]:
    """The ledger's answer, and the deliveries prepared while it was asked: the broker has them so much earlier.

    Nothing is sent before the answer is in (I5). They are sent as prepared where nothing is marked, which is nearly
    always, and no record gets a span of its own.
    """
    if not decision.deliveries:
        return await asking, ()
    asked = asyncio.create_task(asking, name="ledger-asked")
    try:
        for _ in range(TURNS_TO_ASK):
            await asyncio.sleep(0)  # noqa: TID251  a turn of the loop, no time
        ready = publisher.prepare(decision.deliveries)
        return await asked, ready
    finally:
        asked.cancel()
        # Its error has this frame in its traceback: together they would keep the batch until the collector runs.
        del asked


async def mark(
    plan: TriggerPlan, acked: Collection[MarkKey], memory: Memory, neighbours: Neighbours, signals: Signals
) -> None:
    """Mark what was acked (I2), with what an earlier pass could not mark.

    What cannot be marked now is remembered until its batch is advanced past, so that a ledger outage between ack and
    mark repeats nothing as long as this process lives (I5).
    """
    if not (acked or memory.unmarked):
        return
    try:
        await neighbours.ledger.mark(plan.ref, [*memory.unmarked, *acked])
    except BaseException as error:
        # Cancelled, too: whether they are there nobody knows, and marking them again does no harm.
        memory.unmarked.update(acked)
        if not isinstance(error, Retry) or plan.on_ledger_outage is OnLedgerOutage.HOLD:
            raise
        signals.ledger_bypassed(plan.name, error)
    else:
        memory.unmarked.clear()


def remember(memory: Memory, receipts: Collection[Receipt]) -> None:
    """Note what the broker refuses for its size: sent as it is, it would hold the trigger for ever (I8)."""
    for receipt in () if isinstance(receipts, AllAcked) else receipts:
        if is_refused_for_size(receipt):
            memory.refused[receipt.mark] = receipt.code


def why_held(held: Held, sent: Collection[Delivery]) -> BridgeError:
    """The error of a pass whose batch was not acked whole."""
    failure = held.first_failure
    kind = Blocked if failure.blocked else Retry
    return kind(
        f"{held.failed} failed and {held.unknown} unknown of {len(sent)} records;"
        f" the first: topic {failure.topic}, {failure.code}",
        code=failure.code or failure.outcome.value,
    )
