"""The same pass in `exactly_once`: fetch, decide, skip what is committed, commit with the position, advance (D3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bridge.domain.decide import decide
from bridge.domain.delivery import AllAcked, Delivery, Receipt
from bridge.domain.errors import Retry
from bridge.domain.model import Batch, Generation
from bridge.domain.plan import TriggerPlan
from bridge.domain.position import Position, committed_part, in_force, position_after
from bridge.domain.settle import Held, settle
from bridge.domain.standing import Reset
from bridge.domain.trail import check_is_ahead, check_is_not_done
from bridge.domain.window import Cut, cut
from bridge.engine.cycle import (
    Carried,
    Memory,
    Neighbours,
    Pass,
    Tenure,
    concluded,
    is_idle,
    remember,
    rested,
    watched_for_poison,
)
from bridge.signals import Signals

PRODUCER_IDLE_S_MAX = 600.0
"""A trigger that had nothing to publish for so long lets its producer and its connections go."""

SKIPS_MAX = 3
"""More committed pages in a row than this and the platform does not move as it is told."""

CONSEQUENCES = frozenset({"transaction_aborted", "not_sent"})
"""Codes of deliveries that failed only because another one of their transaction did."""


async def run_atomic_cycle(
    plan: TriggerPlan,
    generation: Generation,
    memory: Memory,
    neighbours: Neighbours,
    signals: Signals,
    window: Reset | None = None,
) -> Pass:
    """Carry one batch over in one transaction. Raises a BridgeError where the position is held (I1, I4, I7).

    The ledger is not asked: what was committed is read from the log itself, so Redis may be gone. With a window only
    what belongs to that replay is carried.
    """
    began_s = neighbours.clock.monotonic_s()
    with signals.cycle(plan.name) as traceparent:
        whole = await owned_page(plan, generation, memory, neighbours, signals)
        if is_idle(whole, memory, window):
            return rested(whole, memory)
        page = cut(whole, window)

        with signals.step(plan.name, "decide"):
            decision = decide(page.batch, plan, generation, memory.refused, traceparent)
        # A large page is read while it is decided: whatever asks for its ids comes after that.
        check_is_ahead(whole, memory.trail, began_s, neighbours.clock.now())
        position = memory.tenure.position if memory.tenure else None
        committed = committed_part(page.batch, position)
        if committed is not None:
            check_is_not_done(whole, memory.trail, began_s, neighbours.clock.now())
            decision = decide(committed, plan, generation, memory.refused, traceparent)
        memory.trail.is_catching_up = memory.trail.is_catching_up and committed is not None
        batch = committed or page.batch
        poison = watched_for_poison(plan, memory.poison, batch, decision)
        done_before = {delivery.mark for delivery in decision.deliveries} if committed else frozenset()
        to_send = () if committed else decision.deliveries

        receipts: Sequence[Receipt] = ()
        if batch.results and not committed:
            after = position_after(batch, to_send, plan.ref, generation, position)
            receipts = await commit(plan, to_send, after, memory, neighbours, signals)

        verdict = settle(batch, decision.deliveries, done_before, culprits_first(receipts))
        remember(memory, receipts)
        if isinstance(verdict, Held):
            memory.tenure = None
        carried = Carried(
            # Of a committed part the rest of the replay may still wait behind it.
            cut=Cut(batch=batch, is_last=page.is_last and len(batch.results) == len(page.batch.results)),
            decision=decision,
            sent=to_send,
            poison=poison,
            generation=generation,
            began_s=began_s,
        )
        ended = await concluded(plan, carried, verdict, memory, neighbours, signals)
        if committed:
            note_skip(memory)
        return ended


async def owned_page(
    plan: TriggerPlan, generation: Generation, memory: Memory, neighbours: Neighbours, signals: Signals
) -> Batch:
    """A page that was fetched as the owner. Only what has results needs one: an idle trigger has no producer.

    The take-over comes before the fetch, so that whatever the former owner committed, and nothing it could still
    commit, is behind the position that the page is judged by.
    """
    page = await fetch(plan, neighbours, signals)
    if not page.results:
        await rest(plan, memory, neighbours)
        return page
    if memory.tenure is None or memory.tenure.generation != generation:
        memory.tenure = None
        with signals.step(plan.name, "take_over"):
            recorded = await neighbours.transactions.take_over(plan.name)
        now_s = neighbours.clock.monotonic_s()
        position = in_force(recorded, plan.ref, generation)
        memory.tenure = Tenure(generation=generation, position=position, used_at_s=now_s)
        page = await fetch(plan, neighbours, signals)
    return page


async def fetch(plan: TriggerPlan, neighbours: Neighbours, signals: Signals) -> Batch:
    """The page behind the platform's position."""
    with signals.step(plan.name, "fetch"):
        page = await neighbours.source.fetch(plan.ref, plan.batch_size)
    signals.fetched(plan.name, page)
    return page


async def rest(plan: TriggerPlan, memory: Memory, neighbours: Neighbours) -> None:
    """Let the producer of a trigger go that has had nothing to publish for long; the next result takes over anew."""
    tenure = memory.tenure
    if tenure is not None and neighbours.clock.monotonic_s() - tenure.used_at_s > PRODUCER_IDLE_S_MAX:
        memory.tenure = None
        await neighbours.transactions.release(plan.name)


async def commit(
    plan: TriggerPlan,
    deliveries: Sequence[Delivery],
    after: Position,
    memory: Memory,
    neighbours: Neighbours,
    signals: Signals,
) -> Sequence[Receipt]:
    """Publish the batch with its position; whatever this raises, the position is not known before a take-over."""
    tenure, memory.tenure = memory.tenure, None
    with signals.publishing(plan.name, deliveries) as sending:
        receipts = await neighbours.transactions.publish_atomically(plan.name, sending.deliveries, after)
        sending.answered(receipts)
    signals.published(plan.name, deliveries, receipts)
    if tenure is not None:
        memory.tenure = replace(tenure, position=after, used_at_s=neighbours.clock.monotonic_s(), skips=0)
    return receipts


def note_skip(memory: Memory) -> None:
    """Back off when skipping leads nowhere: otherwise the same page is fetched as fast as the platform can give it."""
    tenure = memory.tenure
    if tenure is None:
        return
    memory.tenure = replace(tenure, skips=tenure.skips + 1)
    if tenure.skips >= SKIPS_MAX:
        raise Retry("the platform goes on giving pages that are committed already", code="position_stuck")


def culprits_first(receipts: Sequence[Receipt]) -> Sequence[Receipt]:
    """So that the reason that is told is the refused record, not one that went down with it."""
    if isinstance(receipts, AllAcked):
        return receipts
    return sorted(receipts, key=lambda receipt: receipt.code in CONSEQUENCES)
