"""A reset that somebody makes at the platform itself: noticed, and replayed or undone; in both modes, virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.domain.model import SequenceId, TriggerRef
from bridge.domain.plan import DeliveryMode, OnForeignReset
from bridge.domain.settle import Settled
from bridge.domain.standing import ResetPhase
from tests.fakes.plans import REF, a_plan
from tests.fakes.results import raw_result
from tests.unit.engine.test_resets import MODES, NAME, Town, a_reset, day
from tests.unit.engine.world import sequence

NEW = "2026-02-01T00:00:00Z"


def a_town(mode: DeliveryMode, policy: OnForeignReset = OnForeignReset.REPLAY, *, batch_size: int = 3) -> Town:
    town = Town(mode, batch_size=batch_size)
    town.plan = replace(town.plan, on_foreign_reset=policy)
    return town


@pytest.mark.parametrize("back_to", [1, 3, 4])
@pytest.mark.parametrize("mode", MODES)
async def test_a_reset_at_the_platform_is_replayed_as_a_generation_of_its_own(mode: DeliveryMode, back_to: int) -> None:
    """I3, D4: none of it is swallowed, and every record of it can be told."""
    town = a_town(mode)
    async with town.settled_town():
        await town.source.reset(REF, day(back_to))
        await town.until(lambda: bool(town.standing.resets))
        town.upload(2, created_at=NEW)
        await town.until(lambda: town.pending == 0 and town.standing.open_reset is None)
    (reset,) = town.standing.resets
    assert (reset.requested_by, reset.phase, reset.generation) == ("platform", ResetPhase.DONE, 1)
    assert reset.to_comment_created_at == day(back_to)
    assert town.seen("rpa.urgent", 0) == sequence(1, 20)
    assert town.seen("rpa.urgent", 1) == sequence(5 * back_to - 4, 22)
    (told,) = town.lines.events("reset_at_the_platform")
    assert (told["policy"], told["to_comment_created_at"]) == ("replay", day(back_to).isoformat())


@pytest.mark.parametrize("mode", MODES)
async def test_a_reset_at_the_platform_is_undone_by_choice(mode: DeliveryMode) -> None:
    town = a_town(mode, OnForeignReset.SKIP)
    async with town.settled_town():
        await town.source.reset(REF, day(2))
        town.upload(2, created_at=NEW)
        await town.until(lambda: town.pending == 0)
    assert town.seen("rpa.urgent", 0) == sequence(1, 22)
    assert (town.standing.generation, town.standing.resets) == (0, ())
    assert [each["policy"] for each in town.lines.events("reset_at_the_platform")] == ["skip"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_reset_made_while_the_bridge_was_down_is_noticed_at_start(mode: DeliveryMode) -> None:
    town = a_town(mode)
    async with town.settled_town():
        pass
    await town.source.reset(REF, day(3))
    async with town.running():
        await town.until(lambda: town.pending == 0 and bool(town.standing.resets))
    assert town.seen("rpa.urgent", 1) == sequence(11, 20)
    assert town.standing.resets[0].requested_by == "platform"


@pytest.mark.parametrize("mode", MODES)
async def test_a_second_reset_at_the_platform_takes_the_place_of_the_first(mode: DeliveryMode) -> None:
    town = a_town(mode, batch_size=1)
    async with town.settled_town() as supervisor:
        await town.source.reset(REF, day(3))
        await town.until(lambda: len(town.seen("rpa.urgent", 1)) >= 3)
        await town.clock.sleep(0.1)
        await town.source.reset(REF, day(2))
        await town.until(lambda: town.pending == 0 and town.standing.open_reset is None)
        assert supervisor.seen(NAME).standing.generation == 2
    assert town.seen("rpa.urgent", 2) == sequence(6, 20)
    assert [reset.phase for reset in town.standing.resets] == [ResetPhase.FAILED, ResetPhase.DONE]


@pytest.mark.parametrize("mode", MODES)
async def test_a_replay_of_the_platforms_making_can_be_called_off(mode: DeliveryMode) -> None:
    town = a_town(mode)
    async with town.settled_town() as supervisor:
        await town.source.reset(REF, day(1))
        await town.until(lambda: bool(town.standing.resets))
        await supervisor.cancel_reset(NAME, town.standing.resets[0].id, "operate")
        assert (await town.over()).phase is ResetPhase.CANCELLED
        town.upload(1, created_at=NEW)
        await town.until(lambda: town.pending == 0)
    assert town.seen("rpa.urgent", 2) == sequence(21, 21)


@pytest.mark.parametrize("policy", OnForeignReset)
@pytest.mark.parametrize("mode", MODES)
async def test_an_old_advance_that_arrives_late_is_never_replayed(mode: DeliveryMode, policy: OnForeignReset) -> None:
    """D15: one was not answered; when it arrives it leads to where a batch of ours began."""
    town = a_town(mode, policy)
    town.source.fail_next("advance")
    async with town.settled_town():
        await town.source.advance(REF, Settled(sequence_id=SequenceId("seq-3"), marks=()))
        town.upload(2, created_at=NEW)
        await town.until(lambda: town.pending == 0)
    assert town.seen("rpa.urgent", 0) == sequence(1, 22)
    assert (town.standing.generation, town.lines.events("reset_at_the_platform")) == (0, [])


@pytest.mark.parametrize("position", ["seq-21", "seq-22"])
@pytest.mark.parametrize("mode", MODES)
async def test_the_advance_of_a_predecessor_that_was_killed_is_not_replayed(mode: DeliveryMode, position: str) -> None:
    """It leads behind where its successor began, be it into the middle of a batch of that one."""
    town = a_town(mode)
    async with town.settled_town():
        killed = town.standing
    town.store.standings[NAME] = killed
    town.upload(3, created_at=NEW)
    async with town.running():
        await town.until(lambda: town.pending == 0)
        await town.source.advance(REF, Settled(sequence_id=SequenceId(position), marks=()))
        town.upload(1, created_at=NEW)
        await town.until(lambda: town.pending == 0)
    assert town.seen("rpa.urgent", 0) == sequence(1, 24)
    assert town.standing.generation == 0


@pytest.mark.parametrize("mode", MODES)
async def test_a_reset_made_after_the_bridge_was_killed_is_noticed_though_it_leads_to_a_batch_of_ours(
    mode: DeliveryMode,
) -> None:
    """What was written down at the end of the work is enough, once no older process's advance may arrive."""
    town = a_town(mode, batch_size=5)
    async with town.settled_town():
        await town.clock.sleep(20)
        killed = town.standing
    town.store.standings[NAME] = killed
    await town.source.reset(REF, day(4))
    async with town.running():
        await town.until(lambda: town.pending == 0 and bool(town.standing.resets))
    assert town.seen("rpa.urgent", 1) == sequence(16, 20)


@pytest.mark.parametrize("policy", OnForeignReset)
@pytest.mark.parametrize("mode", MODES)
async def test_comments_that_were_updated_are_new_whatever_their_upload_time_says(
    mode: DeliveryMode, policy: OnForeignReset
) -> None:
    """A few of them, a page of them, with new ones behind: nothing is raised, nothing passed over."""
    town = a_town(mode, policy)
    async with town.settled_town():
        town.upload(7, created_at="2019-01-01T00:00:00Z")
        town.upload(2, created_at=NEW)
        await town.until(lambda: town.pending == 0)
        town.upload(1, created_at="2019-01-01T00:00:00Z")
        await town.until(lambda: town.pending == 0)
    assert town.seen("rpa.urgent", 0) == sequence(1, 30)
    assert town.standing.generation == 0
    assert town.lines.events("reset_at_the_platform") == []


@pytest.mark.parametrize("mode", MODES)
async def test_undone_where_there_was_nothing_to_undo_passes_over_nothing(mode: DeliveryMode) -> None:
    """More updated comments than the platform's largest page look like a reset; what is new comes all the same."""
    town = a_town(mode, OnForeignReset.SKIP, batch_size=512)
    async with town.settled_town():
        town.upload(1200, created_at="2019-01-01T00:00:00Z")
        await town.until(lambda: town.pending == 0)
    assert town.seen("rpa.urgent", 0) == sequence(1, 1220)


@pytest.mark.parametrize("mode", MODES)
async def test_a_page_that_is_given_twice_is_no_reset(mode: DeliveryMode) -> None:
    town = a_town(mode)
    async with town.settled_town():
        town.upload(2, created_at=NEW)
        await town.until(lambda: town.pending == 0)
        town.source.repeat_page()
        town.upload(2, created_at=NEW)
        await town.until(lambda: town.pending == 0)
        await town.clock.sleep(20)
    assert town.seen("rpa.urgent", 0) == sequence(1, 24)
    assert town.standing.generation == 0


@pytest.mark.parametrize("mode", MODES)
async def test_a_run_of_filtered_comments_is_no_reset_and_hides_none(mode: DeliveryMode) -> None:
    town = a_town(mode)
    town.upload(6, filtered=True, created_at="2020-06-05T00:00:00Z")
    town.upload(1, created_at="2020-06-06T00:00:00Z")
    async with town.settled_town():
        assert town.standing.generation == 0
        await town.source.reset(REF, day(5))
        await town.until(lambda: town.pending == 0 and bool(town.standing.resets))
    assert town.seen("rpa.urgent", 1) == ["seq-27"]


@pytest.mark.parametrize("mode", MODES)
async def test_while_a_replay_with_an_end_runs_a_reset_at_the_platform_is_undone(mode: DeliveryMode) -> None:
    """The trigger goes back to where it stood in any case."""
    town = a_town(mode, batch_size=1)
    async with town.settled_town() as supervisor:
        await supervisor.reset(NAME, a_reset(day(2), until=day(4)))
        await town.until(lambda: len(town.seen("rpa.urgent", 1)) >= 6)
        town.worker(supervisor)._memory.trail.doubt_until_s = 0.0
        await town.source.reset(REF, day(1))
        assert (await town.over()).phase is ResetPhase.DONE
        town.upload(1, created_at=NEW)
        await town.until(lambda: town.pending == 0)
    assert town.seen("rpa.urgent", 1) == sequence(6, 15)
    assert town.seen("rpa.urgent", 2) == sequence(21, 21)


@pytest.mark.parametrize("mode", MODES)
async def test_neighbours_that_are_out_while_it_is_looked_into_change_nothing(mode: DeliveryMode) -> None:
    town = a_town(mode)
    async with town.settled_town():
        await town.source.reset(REF, day(2))
        town.source.fail_next("fetch", times=3)
        town.store.save_failures = 3
        await town.until(lambda: town.pending == 0 and bool(town.standing.resets), within_s=7200)
    assert town.seen("rpa.urgent", 1) == sequence(6, 20)
    assert town.standing.generation == 1


async def test_a_name_given_to_another_trigger_brings_no_reset_over() -> None:
    """D9: the reset was meant for the other one; the pause stays, since nobody took it back."""
    town = Town(DeliveryMode.AT_LEAST_ONCE)
    other = a_plan(ref=TriggerRef(project="org1", dataset="collateral", trigger="other"))
    town.source.upload(other.ref, [raw_result(number, {"Urgent": 0.9}) for number in range(101, 104)])
    async with town.settled_town() as supervisor:
        town.source.fail_next("reset", times=10)
        await supervisor.reset(NAME, a_reset(day(1)))
        await supervisor.apply([other])
        await town.until(lambda: town.source.pending(other.ref) == 0)
        standing = supervisor.seen(NAME).standing
    assert not [call for call in town.source.calls if call[0] == "reset" and call[1] == other.ref]
    assert standing.resets[0].phase is ResetPhase.FAILED
    assert "org1/collateral/other" in standing.resets[0].error
    assert town.seen("rpa.urgent", 0)[-3:] == sequence(101, 103)
