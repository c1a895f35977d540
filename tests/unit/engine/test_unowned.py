"""Commands for a trigger that its owner has no worker for: not in its configuration yet, or no more (D2, I7)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from typing_extensions import override

from bridge.domain.commands import Command, Verb
from bridge.domain.model import TriggerName
from bridge.domain.standing import Standing
from tests.fakes.clock import START
from tests.fakes.group import FakeBulletin, Shared
from tests.fakes.plans import REF, a_plan
from tests.unit.engine.test_group import a_replica
from tests.unit.engine.world import World

NAME = TriggerName("elsewhere")


class LateBulletin(FakeBulletin):
    """Shows what was written only when asked to catch up, as one does that reads a topic."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared, "me")
        self._shown: dict[TriggerName, Standing] = {}
        self.on_save = asyncio.Event()
        self.holds_saves = False
        self.may_save = asyncio.Event()

    @override
    async def catch_up(self) -> None:
        await super().catch_up()
        self._shown = dict(self._shared.standings)

    @override
    def standing(self, name: TriggerName) -> Standing:
        return self._shown.get(name, Standing())

    @override
    async def save(self, name: TriggerName, standing: Standing) -> None:
        self.on_save.set()
        if self.holds_saves:
            await self.may_save.wait()
        await super().save(name, standing)


def command(verb: Verb, number: int) -> Command:
    return Command(id=f"c{number}", trigger=NAME, verb=verb, by="ann", at=START, reset_id="none")


async def test_two_commands_in_a_row_are_both_obeyed() -> None:
    """The second one is applied to what the first has left, seen by then or not."""
    world, shared = World(), Shared()
    shared.log = [command(Verb.PAUSE, 0), command(Verb.CANCEL_RESET, 1)]
    async with a_replica(world, shared, LateBulletin(shared)) as replica:
        await replica.own(world.plan.name, NAME)
        assert await replica.group.deliver(0)
        assert await replica.group.deliver(1)
    standing = shared.standings[NAME]
    assert standing.pause is not None
    assert standing.obeyed is not None
    assert standing.obeyed.offset == 1


async def test_a_command_obeyed_while_its_trigger_comes_into_the_configuration_reaches_the_worker() -> None:
    """What the worker writes next would otherwise take the command back."""
    world, shared = World(), Shared()
    shared.log = [command(Verb.PAUSE, 0)]
    bulletin = LateBulletin(shared)
    plan = a_plan(name=NAME, ref=replace(REF, trigger="elsewhere"))
    world.source.make(plan.ref)
    async with a_replica(world, shared, bulletin) as replica:
        await replica.own(world.plan.name, NAME)
        member = replica.member
        bulletin.holds_saves = True
        bulletin.on_save.clear()
        obeying = asyncio.create_task(replica.group.deliver(0))
        await bulletin.on_save.wait()
        await member.apply([world.plan, plan])
        await world.until(lambda: member.at_work(NAME) is not None)
        bulletin.holds_saves = False
        bulletin.may_save.set()
        assert await obeying
        worker = member.at_work(NAME)
        assert worker is not None
        assert worker.keeper.standing.pause is not None
