"""The life of a worker: resting, backing off, pausing, resetting, stopping; in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.errors import Blocked, Refused, Retry, Throttled
from bridge.domain.model import TriggerName, TriggerRef
from bridge.domain.standing import Pause, Reset, ResetPhase, Standing
from bridge.domain.status import State, is_stuck
from bridge.engine.desk import ConflictError, UnknownTriggerError, WouldSkipError
from tests.fakes.clock import START
from tests.fakes.plans import REF, a_plan
from tests.unit.engine.world import STOP_TIMEOUT_S, World, sequence

NAME = TriggerName("disputes")
EARLY = datetime(2020, 1, 1, tzinfo=UTC)


def a_reset(to: datetime = EARLY, id_: str = "r1", *, allow_skip: bool = False) -> Reset:
    return Reset(id=id_, to_comment_created_at=to, requested_at=START, requested_by="operate", allow_skip=allow_skip)


async def test_full_batches_follow_each_other_at_once_and_the_end_waits_for_the_poll_interval() -> None:
    world = World(a_plan(batch_size=10))
    world.upload(35)
    async with world.running():
        await world.until(lambda: world.pending == 0)
        assert world.clock.monotonic_s() < 1.0
        world.upload(1)
        await world.until(lambda: world.pending == 0)
    assert 4.0 < world.clock.monotonic_s() < 6.0
    assert world.log.on("rpa.urgent") == sequence(1, 36)


async def test_without_an_end_marker_only_an_empty_page_is_the_end() -> None:
    world = World(a_plan(batch_size=10), announces_end=False)
    world.upload(15)
    async with world.running():
        await world.until(lambda: world.pending == 0)
    assert world.clock.monotonic_s() < 1.0


async def test_a_failure_backs_off_and_heals() -> None:
    world = World()
    world.upload(3)
    world.source.go_down()
    async with world.running() as supervisor:
        await world.until(lambda: world.worker(supervisor).status.failures_in_a_row >= 4)
        status = world.worker(supervisor).status
        assert status.state is State.BLOCKED
        assert status.last_error is not None
        assert status.last_error.code == "unreachable"
        assert status.next_attempt is not None
        world.source.come_back()
        await world.until(lambda: world.pending == 0)
        assert world.worker(supervisor).status.failures_in_a_row == 0
    assert world.log.on("rpa.urgent") == sequence(1, 3)


async def test_the_platforms_wish_to_wait_is_kept() -> None:
    world = World()
    world.upload(1)
    world.source.fail_next("fetch", error=Throttled("slow down", code="429", retry_after_s=120.0))
    async with world.running() as supervisor:
        await world.until(lambda: world.worker(supervisor).status.state is State.THROTTLED)
        await world.until(lambda: world.pending == 0)
    assert world.clock.monotonic_s() >= 120.0


async def test_a_missing_topic_blocks_until_it_is_there() -> None:
    world = World()
    world.upload(1)
    world.log.refusals = [Blocked("topic rpa.urgent is missing", code="topic_missing")] * 3
    async with world.running() as supervisor:
        await world.until(lambda: world.worker(supervisor).status.state is State.BLOCKED)
        assert "rpa.urgent" in world.worker(supervisor).status.reason
        await world.until(lambda: world.pending == 0)
    assert world.log.on("rpa.urgent") == ["seq-1"]


async def test_a_defect_of_ours_is_said_and_survived() -> None:
    world = World()
    world.upload(1)
    world.log.refusals = [ValueError("a word of the mail")]  # type: ignore[list-item]
    async with world.running():
        await world.until(lambda: world.pending == 0)
    (line,) = world.lines.events("cycle_defect")
    assert line["error_type"] == "ValueError"
    assert any("publish" in frame for frame in line["where"])
    assert "word of the mail" not in str(world.lines.lines), "I10"


async def test_too_many_dead_letters_stop_loudly_until_an_operator_resumes() -> None:
    """I8."""
    world = World()
    for number in range(30):
        world.upload_raw(b'{"sequence_id":"bad-%d","comment":17}' % number)
    async with world.running() as supervisor:
        await world.until(lambda: world.worker(supervisor).status.state is State.FAILED)
        await world.clock.sleep(3600)
        assert world.pending == 30
        assert len(world.lines.events("trigger_stopped")) == 1
        await supervisor.resume(NAME, "operate")
        await world.until(lambda: len(world.lines.events("trigger_stopped")) == 2)


async def test_a_pause_holds_and_a_resume_goes_on_at_once() -> None:
    world = World(a_plan(batch_size=1))
    async with world.running() as supervisor:
        await supervisor.pause(NAME, "operate", "month end")
        world.upload(5)
        await world.clock.sleep(600)
        assert world.pending == 5
        status = world.worker(supervisor).status
        assert (status.state, status.reason) == (State.PAUSED, "paused by operate: month end")
        before_s = world.clock.monotonic_s()
        await supervisor.resume(NAME, "operate")
        await world.until(lambda: world.pending == 0)
        assert world.clock.monotonic_s() - before_s < 1.0


async def test_a_pause_survives_a_restart() -> None:
    """D18."""
    world = World()
    async with world.running() as supervisor:
        await supervisor.pause(NAME, "operate", "")
    world.upload(1)
    async with world.running() as supervisor:
        await world.clock.sleep(60)
        assert world.worker(supervisor).status.state is State.PAUSED
    assert world.pending == 1


async def test_no_worker_starts_before_its_standing_is_known() -> None:
    world = World()
    world.upload(1)
    world.store.standings[NAME] = Standing(pause=Pause(by="operate", at=START))
    world.store.failures = 3
    async with world.running():
        await world.clock.sleep(60)
    assert world.pending == 1
    assert len(world.lines.events("state_not_loaded")) == 3


async def test_a_reset_delivers_again_in_the_next_generation_though_every_mark_is_there() -> None:
    """I3, D4."""
    world = World()
    world.upload(2, created_at="2020-06-01T00:00:00Z")
    world.upload(3, created_at="2020-06-02T00:00:00Z")
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        assert len(world.ledger.holds(REF)) == 5
        await supervisor.reset(NAME, a_reset(datetime(2020, 6, 2, tzinfo=UTC)))
        await world.until(lambda: world.worker(supervisor).keeper.standing.open_reset is None)
    assert world.log.on("rpa.urgent") == [*sequence(1, 5), *sequence(3, 5)]
    generations = [dict(record.headers)["ce_generation"] for record in world.log.records]
    assert generations == [b"0"] * 5 + [b"1"] * 3
    (reset,) = world.store.standings[NAME].resets
    assert (reset.phase, reset.generation, reset.replayed) == (ResetPhase.DONE, 1, 3)


@pytest.mark.parametrize("phase", [ResetPhase.REQUESTED, ResetPhase.HOLDING, ResetPhase.RESETTING])
@pytest.mark.parametrize("platform_was_reset", [False, True])
async def test_a_reset_killed_between_any_two_steps_is_resumed(phase: ResetPhase, platform_was_reset: bool) -> None:
    """I7."""
    world = World()
    world.upload(3, created_at="2020-06-01T00:00:00Z")
    async with world.running():
        await world.until(lambda: world.pending == 0)
    if platform_was_reset:
        await world.source.reset(REF, EARLY)
    world.store.standings[NAME] = Standing().with_reset(replace(a_reset(), phase=phase))
    async with world.running():
        await world.until(lambda: world.store.standings[NAME].open_reset is None)
    assert world.log.on("rpa.urgent") == [*sequence(1, 3), *sequence(1, 3)]
    assert world.store.standings[NAME].generation == 1


@pytest.mark.parametrize("operation", ["fail", "lose"])
async def test_a_reset_meets_every_neighbour_out_and_still_raises_one_generation(operation: str) -> None:
    world = World()
    world.upload(3, created_at="2020-06-01T00:00:00Z")
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        if operation == "fail":
            world.source.fail_next("reset", times=3)
        else:
            world.source.lose_answer("reset", times=3)
        await supervisor.reset(NAME, a_reset())
        world.store.failures = 2
        await world.until(lambda: world.store.standings[NAME].open_reset is None)
    assert world.store.standings[NAME].generation == 1
    assert world.log.on("rpa.urgent") == [*sequence(1, 3), *sequence(1, 3)]


async def test_no_pass_runs_while_position_and_generation_do_not_belong_together() -> None:
    """I3, I6: between the platform's reset and the note of it, nothing is fetched."""
    world = World()
    world.upload(1, created_at="2020-06-01T00:00:00Z")
    world.store.standings[NAME] = Standing().with_reset(replace(a_reset(), phase=ResetPhase.RESETTING))
    world.store.save_failures = 10
    async with world.running() as supervisor:
        await world.until(lambda: world.store.save_failures == 0)
        assert {call[0] for call in world.source.calls} == {"reset"}
        assert world.worker(supervisor).status.state is not State.REPLAYING
        await world.until(lambda: world.store.standings[NAME].open_reset is None)


async def test_a_second_reset_while_one_is_under_way_is_refused_and_the_same_one_is_not() -> None:
    world = World()
    async with world.running() as supervisor:
        world.source.fail_next("reset", times=1000)
        await supervisor.reset(NAME, a_reset())
        with pytest.raises(ConflictError, match="r1"):
            await supervisor.reset(NAME, a_reset(id_="r2"))
        assert (await supervisor.reset(NAME, a_reset())).id == "r1"


async def test_a_reset_past_results_nobody_has_got_must_be_asked_for_by_name() -> None:
    world = World()
    async with world.running() as supervisor:
        await supervisor.pause(NAME, "operate", "")
        world.upload(2, created_at="2020-06-01T00:00:00Z")
        later = datetime(2020, 7, 1, tzinfo=UTC)
        with pytest.raises(WouldSkipError):
            await supervisor.reset(NAME, a_reset(later))
        await supervisor.reset(NAME, a_reset(later, allow_skip=True))
        await world.until(lambda: world.pending == 0)
    assert world.log.records == []


async def test_a_reset_of_a_paused_trigger_is_done_and_it_stays_paused() -> None:
    world = World()
    world.upload(2, created_at="2020-06-01T00:00:00Z")
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        await supervisor.pause(NAME, "operate", "")
        await supervisor.reset(NAME, a_reset())
        await world.until(lambda: world.pending == 2)
        await world.clock.sleep(600)
        assert world.pending == 2
        await supervisor.resume(NAME, "operate")
        await world.until(lambda: world.pending == 0)
    assert world.log.on("rpa.urgent") == [*sequence(1, 2), *sequence(1, 2)]


async def test_a_reset_the_platform_refuses_fails_and_leaves_the_trigger_where_it_was() -> None:
    world = World()
    world.upload(1)
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        world.source.fail_next("reset", error=Refused("no such instant", code="refused"))
        await supervisor.reset(NAME, a_reset())
        await world.until(lambda: world.store.standings[NAME].open_reset is None)
        (reset,) = world.store.standings[NAME].resets
        assert (reset.phase, reset.error) == (ResetPhase.FAILED, "refused: no such instant")
        assert world.store.standings[NAME].generation == 0
        world.upload(1)
        await world.until(lambda: world.pending == 0)
    assert world.log.on("rpa.urgent") == sequence(1, 2)


async def test_a_reset_without_the_right_to_it_waits_for_the_right() -> None:
    world = World()
    world.upload(1)
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        world.source.fail_next("reset", times=3, error=Blocked("no right", code="forbidden"))
        await supervisor.reset(NAME, a_reset())
        await world.until(lambda: world.store.standings[NAME].open_reset is None)
    assert world.store.standings[NAME].resets[0].phase is ResetPhase.DONE


async def test_stopping_lets_the_pass_in_flight_end() -> None:
    world = World(a_plan(batch_size=3))
    world.upload(9)
    async with world.running():
        await world.until(lambda: bool(world.log.records))
    assert len(world.log.records) % 3 == 0
    assert world.pending == 9 - len(world.log.records)


async def test_a_pass_that_hangs_is_cut_off_at_the_limit_and_loses_nothing() -> None:
    world = World()
    world.upload(2)
    world.log.hangs = True
    async with asyncio.timeout(60), world.running():
        await world.clock.sleep(1)
    assert world.pending == 2
    assert world.lines.events("stop_timeout")


async def test_what_was_acked_while_the_ledger_was_out_is_marked_before_the_end_if_it_comes_back() -> None:
    """I5: otherwise the next process sends it again."""
    world = World()
    world.upload(3)
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        world.ledger.fail_next("mark", times=2)
        world.upload(2)
        await world.until(lambda: world.worker(supervisor).status.state is State.BLOCKED)
        world.ledger.go_down()
        returning = asyncio.create_task(come_back_after(world, STOP_TIMEOUT_S / 2))
    await returning
    assert len(world.ledger.holds(REF)) == len(world.log.records) == 5
    assert not world.lines.events("stop_timeout")
    assert world.pending == 2
    async with world.running():
        await world.until(lambda: world.pending == 0)
    assert len(world.log.records) == 5


async def come_back_after(world: World, seconds: float) -> None:
    await world.clock.sleep(seconds)
    world.ledger.come_back()


async def test_a_ledger_that_stays_out_holds_up_the_end_no_longer_than_the_limit() -> None:
    world = World()
    world.upload(2)
    world.ledger.fail_next("mark", times=2)
    async with asyncio.timeout(60), world.running() as supervisor:
        await world.until(lambda: world.worker(supervisor).status.state is State.BLOCKED)
        world.ledger.go_down()
    assert world.lines.events("stop_timeout")
    assert world.pending == 2


async def test_a_trigger_that_leaves_the_configuration_ends_and_comes_back_with_its_standing() -> None:
    """D9."""
    world = World()
    other = a_plan(name="other", ref=TriggerRef(project="org1", dataset="d", trigger="t2"))
    world.source.make(other.ref)
    async with world.running() as supervisor:
        await supervisor.pause(NAME, "operate", "")
        await supervisor.apply([other])
        assert [status.name for status in supervisor.statuses()] == ["other"]
        with pytest.raises(UnknownTriggerError):
            supervisor.worker(NAME)
        await supervisor.apply([other, world.plan])
        assert world.worker(supervisor).keeper.standing.pause is not None


async def test_changed_routes_are_used_from_the_next_pass_on() -> None:
    world = World()
    world.upload(1)
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        await supervisor.apply([a_plan({"hot": "Urgent"})])
        world.upload(1)
        await world.until(lambda: world.pending == 0)
    assert (world.log.on("rpa.urgent"), world.log.on("rpa.hot")) == (["seq-1"], ["seq-2"])


async def test_one_triggers_trouble_is_not_anothers() -> None:
    world = World()
    other = a_plan(name="other", ref=TriggerRef(project="org1", dataset="d", trigger="t2"))
    world.upload(3)
    async with world.running(world.plan, other) as supervisor:
        await world.until(lambda: world.pending == 0)
        status = supervisor.worker(TriggerName("other")).status
        assert (status.last_error and status.last_error.code) == "trigger_missing"
        world.source.make(other.ref)
        await world.until(lambda: supervisor.worker(TriggerName("other")).status.state is State.IDLE)


async def test_a_retry_of_the_platform_without_end_never_stops_asking() -> None:
    world = World()
    world.upload(1)
    world.source.fail_next("fetch", times=200, error=Retry("x", code="x"))
    async with world.running():
        await world.until(lambda: world.pending == 0, within_s=timedelta(days=1).total_seconds())
    assert len(world.lines.events("cycle_held")) < 10, "repeats get rarer"


async def test_a_reset_behind_filtered_comments_does_not_pass_over_what_lies_behind_them() -> None:
    """I4: a page of filtered comments alone does not say that nothing is waiting."""
    world = World(a_plan(batch_size=2))
    async with world.running() as supervisor:
        await supervisor.pause(NAME, "operate", "")
        world.upload(2, filtered=True)
        world.upload(3)
        with pytest.raises(WouldSkipError):
            await supervisor.reset(NAME, a_reset(world.clock.now()))
        await supervisor.resume(NAME, "operate")
        await world.until(lambda: world.pending == 0)
    assert world.log.on("rpa.urgent") == sequence(3, 5)


async def test_a_reset_asked_for_again_is_that_reset_though_it_would_skip_now() -> None:
    """One id is one reset, however often and however late it is asked for."""
    world = World()
    world.upload(3)
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        late = a_reset(world.clock.now(), "late")
        await supervisor.reset(NAME, late)
        await world.until(lambda: supervisor.worker(NAME).keeper.standing.open_reset is None)
        await supervisor.pause(NAME, "operate", "")
        await supervisor.reset(NAME, a_reset(EARLY, "early"))
        await world.until(lambda: world.pending == 3)
        assert (await supervisor.reset(NAME, late)).phase is ResetPhase.DONE


@pytest.mark.parametrize("paused", [False, True])
async def test_a_long_rest_is_not_taken_for_a_hung_worker(paused: bool) -> None:
    """Liveness is progress: resting until the next poll is that, however far it is."""
    world = World(replace(a_plan(), poll_interval_s=3600.0))
    async with world.running() as supervisor:
        if paused:
            await supervisor.pause(NAME, "operate", "")
        for _ in range(30):
            await world.clock.sleep(240.0)
            assert not is_stuck(world.worker(supervisor).status, world.clock.now())
