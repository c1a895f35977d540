"""A replica among others, in virtual time: it works on what it owns, and on nothing it may have lost (I6, D15)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bridge.domain.census import Census
from bridge.domain.commands import Command, Verb
from bridge.domain.delivery import MarkKey
from bridge.domain.errors import Retry
from bridge.domain.model import Generation, TriggerName, TriggerRef
from bridge.domain.plan import DeliveryMode
from bridge.domain.settle import Settled
from bridge.domain.standing import Pause, Reset, ResetPhase, Standing
from bridge.domain.status import REPORT_AGE_MAX_S, Report, State, Status
from bridge.engine.desk import ConflictError, UnknownTriggerError
from bridge.engine.group import HOLD_S_MAX, Member
from bridge.engine.group_desk import EFFECT_S_MAX, GroupDesk
from bridge.engine.reporter import (
    COUNTS_AT_LEAST_EVERY_S,
    COUNTS_AT_ONCE_MAX,
    COUNTS_EVERY_S,
    REPORT_EVERY_S,
    Reporter,
)
from tests.fakes.clock import FakeClock
from tests.fakes.group import FakeBulletin, FakeControl, FakeMembership, Shared
from tests.fakes.plans import a_plan
from tests.fakes.results import a_batch, raw_result
from tests.unit.engine.world import World, sequence

ADVANCE_S = 5.0


@dataclass(slots=True)
class Replica:
    """One process; the world's trigger is `disputes`."""

    world: World
    shared: Shared
    bulletin: FakeBulletin
    group: FakeMembership
    member: Member
    desk: GroupDesk
    stopping: asyncio.Event
    running: asyncio.Task[None]

    @property
    def name(self) -> TriggerName:
        return self.world.plan.name

    async def stop(self) -> None:
        self.stopping.set()
        await self.running

    async def own(self, *names: str) -> None:
        self.group.assign(*(names or (self.name,)))
        await self.world.until(lambda: self.member.at_work(self.name) is not None)

    def told(self, event: str) -> int:
        return len(self.world.lines.events(event))


@asynccontextmanager
async def a_replica(
    world: World | None = None, shared: Shared | None = None, bulletin: FakeBulletin | None = None
) -> AsyncIterator[Replica]:
    """Seated, with nothing assigned yet."""
    world, shared = world or World(), shared or Shared()
    bulletin, group = bulletin or FakeBulletin(shared, "me"), FakeMembership(shared)
    member = Member(
        world.neighbours,
        bulletin,
        bulletin,
        group,
        world.signals,
        lambda: 0.5,
        stop_timeout_s=30.0,
        advance_s=ADVANCE_S,
        name="pod-1",
    )
    desk = GroupDesk(member, bulletin, FakeControl(shared), world.neighbours, world.signals)
    stop = asyncio.Event()
    running = asyncio.create_task(member.run([world.plan], stop))
    try:
        await world.until(lambda: group.seat is not None)
        yield Replica(world, shared, bulletin, group, member, desk, stop, running)
    finally:
        stop.set()
        await running


async def test_only_what_is_assigned_is_worked_on() -> None:
    world = World()
    world.upload(3)
    async with a_replica(world) as replica:
        replica.group.assign("another")
        await world.clock.sleep(60.0)
        assert (world.pending, replica.member.is_ready, replica.member.statuses()) == (3, True, [])
        await replica.own()
        await world.until(lambda: world.pending == 0)
    assert world.log.on("rpa.urgent") == sequence(1, 3)


async def test_a_member_without_triggers_is_ready_once_it_has_joined() -> None:
    async with a_replica() as replica:
        await replica.world.clock.sleep(1.0)
        assert not replica.member.is_ready
        replica.group.assign()
        await replica.world.until(lambda: replica.member.is_ready)


async def test_a_pass_in_flight_ends_before_the_trigger_is_given_up() -> None:
    """I6: whoever has it next finds its marks, and repeats nothing."""
    world = World()
    async with a_replica(world) as replica:
        await replica.own()
        advance, went_on = world.source.advance, asyncio.Event()

        async def slow(trigger: TriggerRef, settled: Settled) -> None:
            await went_on.wait()
            await advance(trigger, settled)

        world.source.advance = slow  # type: ignore[method-assign]
        world.upload(3)
        await world.clock.sleep(10.0)
        revoking = asyncio.create_task(replica.group.revoke())
        await world.clock.sleep(HOLD_S_MAX / 2)
        assert not revoking.done()
        went_on.set()
        await revoking
        assert world.pending == 0
        assert replica.member.at_work(replica.name) is None
    assert replica.told("stop_timeout") == 0


async def test_a_pass_that_does_not_end_is_cut_off_within_the_bound() -> None:
    world = World()
    async with a_replica(world) as replica:
        await replica.own()
        world.log.hangs = True
        world.upload(3)
        await world.clock.sleep(10.0)
        began_s = world.clock.monotonic_s()
        await replica.group.revoke()
        assert world.clock.monotonic_s() - began_s <= HOLD_S_MAX + 0.1
        assert (world.pending, replica.told("stop_timeout")) == (3, 1)
        world.log.hangs = False
        await replica.own()
        await world.until(lambda: world.pending == 0)


async def test_a_process_that_stops_marks_what_it_could_not_mark_before_it_leaves() -> None:
    """I5: its memory goes with it."""
    world = World()
    async with a_replica(world) as replica:
        await replica.own()
        mark, is_out = world.ledger.mark, [True]

        async def out_at_first(trigger: TriggerRef, marks: Sequence[MarkKey]) -> None:
            if is_out:
                raise Retry("no redis", code="ledger_unavailable")
            await mark(trigger, marks)

        world.ledger.mark = out_at_first  # type: ignore[method-assign]
        world.upload(3)
        await world.until(lambda: len(world.log.records) == 3)
        stopping = asyncio.create_task(replica.stop())
        await world.clock.sleep(HOLD_S_MAX + 5.0)
        is_out.clear()
        await stopping
    marks = [record.mark for record in world.log.records]
    assert await world.ledger.marked(world.plan.ref, marks) == set(marks)


async def test_a_fetch_is_cut_off_at_once_since_nothing_hangs_on_it() -> None:
    world = World()
    async with a_replica(world) as replica:
        await replica.own()

        async def hangs(*_: object) -> object:
            return await asyncio.Event().wait()

        world.source.fetch = hangs  # type: ignore[method-assign,assignment]
        await world.clock.sleep(10.0)
        began_s = world.clock.monotonic_s()
        await replica.group.revoke()
        assert world.clock.monotonic_s() == began_s
    assert replica.told("stop_timeout") == replica.told("cycle_held") == 0


async def test_a_take_over_of_transactions_is_cut_off_at_once_too() -> None:
    """It may take half a minute, and the others wait for this replica to let go."""
    world = World(a_plan(delivery=DeliveryMode.EXACTLY_ONCE))
    reached, never = asyncio.Event(), asyncio.Event()

    async def hangs(_: str) -> None:
        reached.set()
        await never.wait()

    async with a_replica(world) as replica:
        world.transactions.hook = hangs
        world.upload(1)
        await replica.own()
        await reached.wait()
        began_s = world.clock.monotonic_s()
        await replica.group.revoke()
        assert world.clock.monotonic_s() == began_s
    assert replica.told("stop_timeout") == replica.told("cycle_held") == 0


async def test_what_comes_back_goes_on_with_what_it_remembers_and_with_what_is_written() -> None:
    async with a_replica() as replica:
        await replica.own()
        worker = replica.member.at_work(replica.name)
        await replica.group.revoke()
        replica.shared.standings[replica.name] = Standing(generation=Generation(4))
        await replica.own()
        assert replica.member.at_work(replica.name) is worker
        assert worker is not None
        assert worker.keeper.standing.generation == 4


async def test_what_does_not_come_back_is_let_go() -> None:
    async with a_replica() as replica:
        await replica.own()
        await replica.group.revoke()
        replica.group.assign("another")
        await replica.world.until(lambda: ("release", replica.name) in replica.world.transactions.calls)
        assert replica.member.at_work(replica.name) is None


async def test_nothing_leaves_a_process_that_may_own_the_trigger_no_more() -> None:
    """D15: neither a record nor an advance nor a standing; and it goes on as soon as it is sure again."""
    world = World()
    async with a_replica(world) as replica:
        await replica.own()
        replica.group.left_s = 0.0
        world.upload(3)
        await world.clock.sleep(60.0)
        assert (world.pending, world.log.records) == (3, [])
        worker = replica.member.at_work(replica.name)
        assert worker is not None
        assert worker.status.last_error is not None
        assert worker.status.last_error.code == "ownership_lost"
        with pytest.raises(Retry, match="surely owns"):
            await worker.keeper.change(lambda standing: replace(standing, generation=Generation(9)))
        replica.group.left_s = 10.0
        await world.until(lambda: world.pending == 0)
    assert world.log.on("rpa.urgent") == sequence(1, 3)


async def test_an_advance_that_could_outlast_the_ownership_is_not_begun() -> None:
    world = World()
    async with a_replica(world) as replica:
        await replica.own()
        replica.group.left_s = ADVANCE_S
        world.upload(3)
        await world.until(lambda: len(world.log.records) == 3)
        await world.clock.sleep(30.0)
        assert world.pending == 3
        replica.group.left_s = ADVANCE_S + 0.1
        await world.until(lambda: world.pending == 0)
    assert len(world.log.records) == 3, "the marks swallow what was published before"


async def test_a_take_over_waits_until_the_standings_are_read() -> None:
    async with a_replica() as replica:
        replica.shared.standings[replica.name] = Standing(pause=Pause(by="x", at=replica.world.clock.now()))
        replica.bulletin.failures = [Retry("no broker", code="broker_unavailable")] * 3
        replica.world.upload(3)
        await replica.own()
        await replica.world.clock.sleep(60.0)
        assert replica.world.pending == 3
        assert replica.told("not_taken_over") == 3


async def test_a_group_that_cannot_be_joined_is_tried_again() -> None:
    world, shared = World(), Shared()
    bulletin, group = FakeBulletin(shared, "me"), FakeMembership(shared)
    group.failures = [Retry("no broker", code="broker_unavailable")] * 2
    member = Member(
        world.neighbours, bulletin, bulletin, group, world.signals, lambda: 0.5,
        stop_timeout_s=1.0, advance_s=1.0, name="pod-1",
    )  # fmt: skip
    stop = asyncio.Event()
    running = asyncio.create_task(member.run([world.plan], stop))
    await world.until(lambda: group.seat is not None)
    stop.set()
    await running
    assert len(world.lines.events("group_not_joined")) == 2


# Commands


async def test_a_command_is_obeyed_once_however_often_it_is_delivered() -> None:
    async with a_replica() as replica:
        await replica.own()
        pausing = asyncio.create_task(replica.desk.pause(replica.name, "bob", "release"))
        await replica.world.until(lambda: bool(replica.shared.log))
        assert await replica.group.deliver(0)
        await pausing
        written = len(replica.shared.writers)
        assert await replica.group.deliver(0)
        assert len(replica.shared.writers) == written
        assert replica.bulletin.standing(replica.name).pause is not None
        assert [line["again"] for line in replica.world.lines.events("command_obeyed")] == [False, True]


async def test_a_command_that_was_obeyed_is_not_again_by_the_next_owner() -> None:
    """Killed between the effect and the commit of its offset (I7): a pause ended since is not brought back."""
    world, shared = World(), Shared()
    async with a_replica(world, shared) as first:
        await first.own()
        for verb in (Verb.PAUSE, Verb.RESUME):
            shared.log.append(a_command(first, verb))
        assert await first.group.deliver(0)
        assert await first.group.deliver(1)
    async with a_replica(world, shared) as second:
        await second.own()
        assert await second.group.deliver(0)
        assert second.bulletin.standing(second.name).pause is None


async def test_a_command_waits_for_the_take_over_and_is_left_to_the_next_owner_when_revoked() -> None:
    async with a_replica() as replica:
        replica.shared.log.append(a_command(replica, Verb.PAUSE))
        obeying = asyncio.create_task(replica.group.deliver(0))
        await replica.world.clock.sleep(1.0)
        assert not obeying.done()
        await replica.group.revoke()
        assert not await obeying
        assert replica.bulletin.standing(replica.name).pause is None


async def test_a_command_is_obeyed_when_it_can_be_written_and_in_its_order() -> None:
    async with a_replica() as replica:
        await replica.own()
        replica.shared.log.extend([a_command(replica, Verb.PAUSE), a_command(replica, Verb.RESUME)])
        replica.bulletin.failures = [Retry("no broker", code="broker_unavailable")] * 5
        assert await replica.group.deliver(0)
        assert replica.bulletin.standing(replica.name).pause is not None
        assert replica.told("command_not_obeyed_yet") == 5


async def test_a_command_for_a_trigger_that_is_not_configured_here_is_kept_for_whoever_has_it() -> None:
    """Replicas get a new configuration one after the other."""
    async with a_replica() as replica:
        await replica.own()
        replica.shared.log.append(replace(a_command(replica, Verb.PAUSE), trigger=TriggerName("new")))
        assert await replica.group.deliver(0)
        assert replica.bulletin.standing(TriggerName("new")).pause is not None


def a_command(replica: Replica, verb: Verb) -> Command:
    return Command(id=verb.value, trigger=replica.name, verb=verb, by="bob", at=replica.world.clock.now())


# Zombies


async def test_a_standing_that_a_former_owner_overwrote_is_written_again() -> None:
    """D15."""
    async with a_replica() as replica:
        await replica.own()
        replica.shared.log.append(a_command(replica, Verb.PAUSE))
        await replica.group.deliver(0)
        late = FakeBulletin(replica.shared, "zombie")
        await late.save(replica.name, Standing())
        await replica.world.until(lambda: replica.bulletin.standing(replica.name).pause is not None)
        assert replica.told("standing_overwritten") == 1


# The desk


def a_reset(replica: Replica, id_: str) -> Reset:
    now = replica.world.clock.now()
    return Reset(id=id_, to_comment_created_at=now - timedelta(days=3650), requested_at=now, requested_by="bob")


async def test_a_command_without_an_owner_is_accepted_and_not_waited_for_long() -> None:
    async with a_replica() as replica:
        began_s = replica.world.clock.monotonic_s()
        await replica.desk.pause(replica.name, "bob", "")
        assert replica.world.clock.monotonic_s() - began_s == pytest.approx(EFFECT_S_MAX, abs=0.2)
        accepted = await replica.desk.reset(replica.name, a_reset(replica, "r1"))
        assert accepted.phase is ResetPhase.REQUESTED
        past = await replica.desk.history(replica.name, 10)
        assert [(each.offset, each.command.verb) for each in past] == [(0, Verb.PAUSE), (1, Verb.RESET)]


async def test_of_two_resets_at_two_replicas_the_first_wins_and_the_other_is_history() -> None:
    async with a_replica() as replica:
        replica.world.upload(3)
        await replica.own()
        other = GroupDesk(
            replica.member, FakeBulletin(replica.shared, "them"), FakeControl(replica.shared),
            replica.world.neighbours, replica.world.signals,
        )  # fmt: skip
        asking = [
            asyncio.create_task(desk.reset(replica.name, a_reset(replica, id_)))
            for desk, id_ in ((replica.desk, "r1"), (other, "r2"))
        ]
        await replica.world.until(lambda: len(replica.shared.log) == 2)
        assert await replica.group.deliver(0)
        assert await replica.group.deliver(1)
        first, second = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(first, Reset)
        assert isinstance(second, ConflictError)
        (lost,) = [each for each in replica.bulletin.standing(replica.name).resets if each.id == "r2"]
        assert (lost.phase, lost.error.split(" (")[0]) == (ResetPhase.FAILED, "conflict: reset r1 is under way")
        with pytest.raises(ConflictError):
            await replica.desk.reset(replica.name, lost)


async def test_an_idle_trigger_has_no_census_however_often_it_is_reported() -> None:
    """Most triggers of many are idle, and each census takes 10 kB."""
    async with a_replica() as replica:
        await replica.own()
        await replica.world.clock.sleep(60.0)
        worker = replica.member.at_work(replica.name)
        assert worker is not None
        assert worker.begun_census is None
        replica.world.upload(1)
        await replica.world.clock.sleep(60.0)
        assert replica.member.censuses()[replica.name].results == 1


async def test_any_replica_tells_what_the_owner_reported_until_it_is_silent_for_long() -> None:
    """D19."""
    async with a_replica() as replica:
        status = Status(name=replica.name, state=State.IDLE, results=7)
        replica.shared.reports[replica.name] = Report(status=status, owner="pod-2", at=replica.world.clock.now())
        seen = replica.desk.seen(replica.name)
        assert (seen.owner, seen.status) == ("pod-2", status)
        await replica.world.clock.sleep(REPORT_AGE_MAX_S + 1)
        seen = replica.desk.seen(replica.name)
        assert (seen.owner, seen.status.state, seen.status.results) == ("", State.STOPPED, 7)
        with pytest.raises(UnknownTriggerError):
            replica.desk.seen(TriggerName("another"))


def add_labels(world: World, *probabilities: float) -> None:
    for probability in probabilities:
        world.upload_raw(raw_result(world.uploaded + 1, {"Urgent": probability}))


async def test_any_replica_tells_what_the_owner_counted_of_the_thresholds() -> None:
    """D19."""
    async with a_replica() as replica:
        await replica.own()
        add_labels(replica.world, 0.2, 0.45, 0.62, 0.95)
        await replica.world.until(lambda: bool(replica.bulletin.posted_counts), within_s=10.0)
        here = replica.desk.counted(replica.name)
        assert (here.is_here, here.by) == (True, "pod-1")
        async with a_replica(replica.world, replica.shared, FakeBulletin(replica.shared, "them")) as other:
            there = other.desk.counted(replica.name)
            assert (there.is_here, there.by, there.taken) == (False, "pod-1", here.taken)
            (threshold,) = there.taken.thresholds
            assert [threshold.would_take(low) for low in (0.0, 0.5, 0.7, 1.0)] == [4, 2, 1, 0]
            await other.member.apply([a_plan({"urgent": "Something else"})])
            unknown = other.desk.counted(replica.name)
            assert (unknown.by, unknown.at, unknown.taken.counted) == ("", None, 0)
            assert len(unknown.taken.thresholds) == 1


async def test_counts_are_shown_rarely_only_where_they_changed_and_again_before_they_are_forgotten() -> None:
    """They are large: the broker must not feel them."""
    async with a_replica() as replica:
        world, posted = replica.world, replica.bulletin.posted_counts
        await replica.own()
        await world.clock.sleep(COUNTS_EVERY_S)
        assert not posted, "nothing has passed"
        for _ in range(60):
            add_labels(world, 0.7)
            await world.clock.sleep(1.0)
        assert 2 <= len(posted) <= 3
        await world.clock.sleep(COUNTS_EVERY_S + REPORT_EVERY_S)
        counted = len(posted)
        assert posted[-1].counted == 60
        await world.clock.sleep(COUNTS_AT_LEAST_EVERY_S / 2)
        assert len(posted) == counted
        await world.clock.sleep(COUNTS_AT_LEAST_EVERY_S)
        assert len(posted) == counted + 1


async def test_many_triggers_that_counted_take_turns_and_a_lost_turn_is_taken_again() -> None:
    clock, bulletin = FakeClock(), FakeBulletin(Shared(), "me")
    censuses = {TriggerName(f"t{number}"): Census(a_plan().rules, clock.now()) for number in range(45)}
    for census in censuses.values():
        census.count(a_batch([raw_result(1, {"Urgent": 0.7})]))
    reporter = Reporter(list, lambda: censuses, bulletin, clock, World().signals, "pod-1")
    bulletin.failures = [Retry("no broker", code="broker_unavailable")]
    turns = []
    for _ in range(5):
        before = len(bulletin.posted_counts)
        await reporter.post()
        turns.append(len(bulletin.posted_counts) - before)
    assert turns == [0, COUNTS_AT_ONCE_MAX, COUNTS_AT_ONCE_MAX, 45 - 2 * COUNTS_AT_ONCE_MAX, 0]
    assert {each.name for each in bulletin.posted_counts} == set(censuses)


async def test_an_idle_trigger_is_reported_rarely_and_a_change_soon() -> None:
    async with a_replica() as replica:
        await replica.own()
        await replica.world.clock.sleep(30.0)
        idle = len(replica.bulletin.posted)
        await replica.world.clock.sleep(30.0)
        assert len(replica.bulletin.posted) - idle <= 4
        before = len(replica.bulletin.posted)
        replica.world.upload(3)
        await replica.world.until(lambda: replica.world.pending == 0)
        await replica.world.until(lambda: len(replica.bulletin.posted) > before, within_s=4.0)
        report = replica.bulletin.report(replica.name)
        assert report is not None
        assert (report.owner, report.status.results) == ("pod-1", 3)


async def test_reports_that_cannot_be_posted_are_said_once_and_stop_nothing() -> None:
    async with a_replica() as replica:
        await replica.own()
        replica.bulletin.failures = [Retry("no broker", code="broker_unavailable")] * 3
        await replica.world.clock.sleep(60.0)
        assert replica.told("reports_not_posted") == 1
        assert replica.bulletin.posted
