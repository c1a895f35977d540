"""The workers of a process while configuration and group change at one time (I6)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bridge.domain.standing import Standing
from bridge.engine.crew import Crew, Tie
from tests.fakes.plans import REF, a_plan
from tests.unit.engine.world import World

HOLD_S = 10.0


async def test_a_trigger_taken_out_of_the_configuration_during_a_revocation_stops_no_other_one() -> None:
    """Whoever stays goes on at the next assignment, and the revocation ends well: the seat must be left."""
    gone = a_plan(name="a-gone", ref=replace(REF, trigger="gone"))
    world = World(a_plan(name="stays"))
    world.source.make(gone.ref)
    world.upload(1)
    world.log.hangs = True
    crew = Crew(world.neighbours, world.store, world.signals, lambda: 0.5, Tie())
    for plan in (gone, world.plan):
        crew.begin(plan, Standing)
    await world.clock.sleep(1.0)
    ending = asyncio.create_task(crew.end([gone.name], HOLD_S))
    await crew.park(HOLD_S)
    await ending
    assert (list(crew.workers), crew.at_work(world.plan.name)) == ([world.plan.name], None)
    world.log.hangs = False
    crew.begin(world.plan, Standing)
    await world.until(lambda: world.pending == 0)
    await crew.park(HOLD_S)
