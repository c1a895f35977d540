"""The reset controller: from what is written down to the next step, one step a call, safe to kill anywhere (I7)."""

from __future__ import annotations

from functools import partial
from typing import assert_never

from bridge.domain.errors import Refused, StopTrigger
from bridge.domain.model import TriggerRef
from bridge.domain.replay import Step, failed, in_phase, next_step, released
from bridge.domain.standing import Reset, ResetPhase
from bridge.engine.keeper import Keeper
from bridge.ports import Clock, Source
from bridge.signals import Signals


async def reconcile(ref: TriggerRef, keeper: Keeper, source: Source, clock: Clock, signals: Signals) -> None:
    """Bring an open reset to where the worker may run again; does nothing where none is open.

    Called by the trigger's own worker between two passes, so that no pass is in flight while the position and the
    generation do not belong together (I3, I6). Raises a BridgeError where a neighbour is out: called again later, it
    goes on from what is written down. Resetting the platform twice to one instant is one reset.
    """
    while True:
        reset = keeper.standing.open_reset
        step = next_step(keeper.standing)
        if reset is None or step in (Step.NOTHING, Step.REPLAY):
            return
        with signals.reset_step(step.value):
            await _take(step, ref, keeper, source, clock)
        _tell(reset, keeper, signals)


async def _take(step: Step, ref: TriggerRef, keeper: Keeper, source: Source, clock: Clock) -> None:
    match step:
        case Step.NOTHING | Step.REPLAY:
            pass
        case Step.HOLD:
            await keeper.change(partial(in_phase, phase=ResetPhase.HOLDING))
        case Step.BEGIN:
            await keeper.change(partial(in_phase, phase=ResetPhase.RESETTING))
        case Step.RESET_PLATFORM:
            await _reset_platform(ref, keeper, source, clock)
        case never:
            assert_never(never)


async def _reset_platform(ref: TriggerRef, keeper: Keeper, source: Source, clock: Clock) -> None:
    reset = keeper.standing.open_reset
    if reset is None:
        return
    try:
        await source.reset(ref, reset.to_comment_created_at)
    except (Refused, StopTrigger) as refused:
        await keeper.change(partial(failed, error=f"{refused.code}: {refused}", now=clock.now()))
        return
    await keeper.change(partial(released, now=clock.now()))


def _tell(before: Reset, keeper: Keeper, signals: Signals) -> None:
    moved = next(reset for reset in keeper.standing.resets if reset.id == before.id)
    signals.reset_moved(keeper.name, moved)
