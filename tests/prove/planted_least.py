"""Bugs of at_least_once that the exploration must find."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence, Set
from dataclasses import replace
from datetime import datetime
from types import ModuleType

import pytest

from bridge.domain import decide as decide_module
from bridge.domain.decide import decide
from bridge.domain.delivery import Delivery, MarkKey, MarkKeys, Outcome, Receipt
from bridge.domain.errors import Retry
from bridge.domain.model import Batch, Generation
from bridge.domain.plan import TriggerPlan
from bridge.domain.replay import in_phase
from bridge.domain.settle import Held, Settled, settle
from bridge.domain.standing import ResetPhase, Standing
from bridge.engine import cycle, reset, worker
from bridge.engine.cycle import Memory, Neighbours, Pass
from bridge.signals import Signals


async def marks_first(
    plan: TriggerPlan, generation: Generation, memory: Memory, neighbours: Neighbours, signals: Signals
) -> Pass:
    """The peers' bug: a mark is a claim, and a claim that is not made good loses the record."""
    batch = await neighbours.source.fetch(plan.ref, plan.batch_size)
    decision = decide(batch, plan, generation, memory.refused, "")
    done = await cycle.marked_before(plan, decision, memory, neighbours, signals)
    to_send = [each for each in decision.deliveries if each.mark not in done]
    await neighbours.ledger.mark(plan.ref, [each.mark for each in to_send])
    return await the_rest(plan, batch, decision, done, to_send, memory, neighbours)


async def the_rest(
    plan: TriggerPlan,
    batch: Batch,
    decision: decide_module.Decision,
    done: Set[MarkKey],
    to_send: Sequence[Delivery],
    memory: Memory,
    neighbours: Neighbours,
) -> Pass:
    """Publish, settle, advance."""
    receipts = tuple(await neighbours.publisher.publish(to_send)) if to_send else ()
    verdict = settle(batch, decision.deliveries, done, receipts)
    cycle.remember(memory, receipts)
    if isinstance(verdict, Held):
        raise cycle.why_held(verdict, to_send)
    advanced = bool(batch.results or batch.filtered)
    if advanced:
        await neighbours.source.advance(plan.ref, verdict)
    return Pass(batch=batch, decision=decision, sent=to_send, advanced=advanced)


async def advances_first(
    plan: TriggerPlan, generation: Generation, memory: Memory, neighbours: Neighbours, signals: Signals
) -> Pass:
    """The position moves on, then the records are sent."""
    batch = await neighbours.source.fetch(plan.ref, plan.batch_size)
    decision = decide(batch, plan, generation, memory.refused, "")
    done = await cycle.marked_before(plan, decision, memory, neighbours, signals)
    to_send = [each for each in decision.deliveries if each.mark not in done]
    advanced = bool(batch.results or batch.filtered)
    if advanced:
        await neighbours.source.advance(plan.ref, Settled(sequence_id=batch.sequence_id, marks=()))
    receipts = tuple(await neighbours.publisher.publish(to_send)) if to_send else ()
    await cycle.mark(
        plan, [each.mark for each in receipts if each.outcome is Outcome.ACKED], memory, neighbours, signals
    )
    return Pass(batch=batch, decision=decision, sent=to_send, advanced=advanced)


def hopeful(
    batch: Batch, deliveries: Sequence[Delivery], done_before: Set[MarkKey], receipts: Sequence[Receipt]
) -> Settled | Held:
    """An unknown receipt taken for an ack."""
    known = [replace(each, outcome=Outcome.ACKED) if each.outcome is Outcome.UNKNOWN else each for each in receipts]
    return settle(batch, deliveries, done_before, known)


def of_all_generations(identity: str, _: Generation) -> MarkKeys:
    """A key without the generation: the marks swallow the replay."""
    return MarkKeys(identity, Generation(0))


async def forgets(
    plan: TriggerPlan, acked: Collection[MarkKey], memory: Memory, neighbours: Neighbours, signals: Signals
) -> None:
    """What could not be marked is not remembered."""
    if acked:
        await neighbours.ledger.mark(plan.ref, list(acked))


async def claims_outage(
    plan: TriggerPlan, decision: decide_module.Decision, memory: Memory, neighbours: Neighbours, signals: Signals
) -> Set[MarkKey]:
    """A ledger that does not answer is taken for one that knows everything."""
    marks = [delivery.mark for delivery in decision.deliveries]
    try:
        return memory.unmarked | await neighbours.ledger.marked(plan.ref, marks)
    except Retry:
        return frozenset(marks)


def released_early(standing: Standing, phase: ResetPhase) -> Standing:
    """The generation is raised before the platform is reset, and a crash in between raises it once more."""
    moved = in_phase(standing, phase)
    if phase is not ResetPhase.RESETTING:
        return moved
    return replace(moved, generation=Generation(moved.generation + 1))


def not_raised(standing: Standing, now: datetime) -> Standing:
    """The worker is let go in the old generation."""
    return in_phase(standing, ResetPhase.REPLAYING)


def planted(where: ModuleType, name: str, bug: object) -> Callable[[pytest.MonkeyPatch], None]:
    """Puts a bug in the place of what is right."""
    return lambda patch: patch.setattr(where, name, bug)


PLANTS = {
    "marked before the ack": planted(worker, "run_cycle", marks_first),
    "advanced before the ack": planted(worker, "run_cycle", advances_first),
    "an unknown receipt taken for an ack": planted(cycle, "settle", hopeful),
    "a mark without its generation": planted(decide_module, "MarkKeys", of_all_generations),
    "acks forgotten that could not be marked": planted(cycle, "mark", forgets),
    "a silent ledger taken for a full one": planted(cycle, "marked_before", claims_outage),
    "the generation raised before the reset": planted(reset, "in_phase", released_early),
    "a replay in the old generation": planted(reset, "released", not_raised),
}
