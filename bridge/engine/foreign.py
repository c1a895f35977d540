"""A position that somebody else moved back: looked into, then replayed as a reset of ours, or undone (D15)."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

from bridge.domain.model import Batch
from bridge.domain.plan import OnForeignReset, TriggerPlan
from bridge.domain.replay import first_instant, noticed
from bridge.domain.settle import settled_before
from bridge.domain.standing import Bookmark, Reset, ResetPhase
from bridge.domain.trail import PROBE_SIZE, clear, is_behind
from bridge.engine.cycle import Memory, Neighbours
from bridge.engine.keeper import Keeper
from bridge.engine.reset import fresh_trail, tell
from bridge.signals import Signals

PLATFORM = "platform"
"""Who asked for it, as far as we know."""


async def look_into(
    plan: TriggerPlan, keeper: Keeper, memory: Memory, neighbours: Neighbours, signals: Signals
) -> None:
    """Fetch as much as the platform gives, which moves nothing, and act only on what that shows.

    A page that was given twice by mistake is not given a third time, and a page of old comments that were updated is
    followed by others. Raises what a fetch, an advance or a change of the standing raises; then it is looked into anew.
    """
    probe = await neighbours.source.fetch(plan.ref, PROBE_SIZE)
    if not is_behind(probe, memory.trail):
        clear(probe, memory.trail)
        signals.looked_into(plan.name)
        return
    place = memory.bookmark or memory.trail.place
    open_reset = keeper.standing.open_reset
    is_bound_for_elsewhere = open_reset is not None and (
        open_reset.has_end or open_reset.phase is not ResetPhase.REPLAYING
    )
    if place is not None and (is_bound_for_elsewhere or plan.on_foreign_reset is OnForeignReset.SKIP):
        await _undo(plan, place, probe, memory, neighbours, signals)
    else:
        await _replay(plan, place, probe, keeper, memory, neighbours, signals)


async def _undo(
    plan: TriggerPlan, place: Bookmark, probe: Batch, memory: Memory, neighbours: Neighbours, signals: Signals
) -> None:
    """Back to where the trigger stood. Whatever comes from there is new, even if it is the same page once more (I1)."""
    await neighbours.source.advance(plan.ref, settled_before(place))
    clear(probe, memory.trail)
    signals.moved_back(plan.name, OnForeignReset.SKIP.value, first_instant(probe.results))


async def _replay(
    plan: TriggerPlan,
    place: Bookmark | None,
    probe: Batch,
    keeper: Keeper,
    memory: Memory,
    neighbours: Neighbours,
    signals: Signals,
) -> None:
    now = neighbours.clock.now()
    found = Reset(
        id=f"{PLATFORM}-{uuid4().hex[:12]}",
        to_comment_created_at=first_instant(probe.results) or now,
        requested_at=now,
        requested_by=PLATFORM,
        reason="the trigger was reset at the platform",
        saved=place,
    )
    await keeper.change(partial(noticed, found=found, now=now))
    memory.bookmark, memory.trail = None, fresh_trail(neighbours.clock)
    signals.moved_back(plan.name, OnForeignReset.REPLAY.value, found.to_comment_created_at)
    tell(found, keeper, signals)
