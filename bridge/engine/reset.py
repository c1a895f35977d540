"""The reset controller: from what is written down to the next step, one step a call, safe to kill anywhere (I7)."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from bridge.domain.errors import Refused, StopTrigger
from bridge.domain.model import TriggerRef
from bridge.domain.replay import Step, failed, held_at, in_phase, next_step, released, returned
from bridge.domain.settle import settled_before
from bridge.domain.standing import Bookmark, Reset, ResetPhase
from bridge.domain.trail import BATCH_SIZE_MAX, Trail
from bridge.engine.cycle import Memory
from bridge.engine.keeper import Keeper
from bridge.ports import Clock, Source
from bridge.signals import Signals

WORKS_ON = (Step.NOTHING, Step.LEARN_POSITION, Step.REPLAY)
"""Steps that are a pass of the worker, or none."""


async def reconcile(
    ref: TriggerRef, keeper: Keeper, memory: Memory, source: Source, clock: Clock, signals: Signals
) -> None:
    """Bring an open reset to where the worker may run again; does nothing where none is open.

    Called by the trigger's own worker between two passes, so that no pass is in flight while the position and the
    generation do not belong together (I3, I6). Raises a BridgeError where a neighbour is out: called again later, it
    goes on from what is written down. Moving the position twice to one place is moving it once.
    """
    while (step := next_step(keeper.standing, memory.bookmark)) not in WORKS_ON:
        reset = keeper.standing.open_reset
        with signals.reset_step(step.value):
            await _take(step, ref, keeper, memory, source, clock)
        if reset is not None:
            tell(reset, keeper, signals)


async def _take(step: Step, ref: TriggerRef, keeper: Keeper, memory: Memory, source: Source, clock: Clock) -> None:
    match step:
        case Step.HOLD:
            await keeper.change(partial(held_at, bookmark=memory.bookmark))
        case Step.BEGIN:
            await keeper.change(partial(in_phase, phase=ResetPhase.RESETTING))
        case Step.RESET_PLATFORM:
            await _reset_platform(ref, keeper, memory, source, clock)
        case Step.TURN_BACK:
            await keeper.change(partial(in_phase, phase=ResetPhase.RETURNING))
        case Step.RETURN:
            await _return(ref, keeper, memory, source, clock)
        case Step.NOTHING | Step.LEARN_POSITION | Step.REPLAY:
            return
        case never:
            assert_never(never)


async def _reset_platform(ref: TriggerRef, keeper: Keeper, memory: Memory, source: Source, clock: Clock) -> None:
    reset = keeper.standing.open_reset
    if reset is None:
        return
    # From here on nothing that was known of the position holds.
    memory.bookmark, memory.trail = None, fresh_trail(clock)
    try:
        await source.reset(ref, reset.to_comment_created_at)
    except (Refused, StopTrigger) as refused:
        await keeper.change(partial(failed, error=f"{refused.code}: {refused}", now=clock.now()))
        return
    await keeper.change(partial(released, now=clock.now()))


async def _return(ref: TriggerRef, keeper: Keeper, memory: Memory, source: Source, clock: Clock) -> None:
    """To where the trigger stood before, and in one change with the letting go: the next generation (I3)."""
    reset = keeper.standing.open_reset
    if reset is None or reset.saved is None:
        sentence = "lost_place: where the trigger stood before is not written down"
        await keeper.change(partial(returned, now=clock.now(), error=sentence))
        return
    memory.bookmark, memory.trail = None, fresh_trail(clock)
    try:
        await source.advance(ref, settled_before(reset.saved))
    except (Refused, StopTrigger) as refused:
        await keeper.change(partial(returned, now=clock.now(), error=f"{refused.code}: {refused}"))
        return
    await keeper.change(partial(returned, now=clock.now()))
    # A page of the replay that the platform gives once more is not taken for new in the generation that begins here.
    memory.bookmark, memory.trail = reset.saved, fresh_trail(clock, reset.saved)


def fresh_trail(clock: Clock, place: Bookmark | None = None) -> Trail:
    """Of a position that is being moved, by a request that may also arrive late; to `place` where that is known."""
    trail = Trail()
    if place is not None:
        trail.place, trail.high = place, place.last_at
        trail.lasts = {place.last: None} if place.last else {}
    trail.doubt(clock.monotonic_s(), BATCH_SIZE_MAX)
    return trail


def tell(before: Reset, keeper: Keeper, signals: Signals) -> None:
    """Say where a reset has got to, if it has moved."""
    moved = keeper.standing.reset_of(before.id)
    if moved is not None and moved.phase is not before.phase:
        signals.reset_moved(keeper.name, moved)
