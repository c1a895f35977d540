"""Replays with an end, to other topics, called off: in both modes, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from typing_extensions import override

from bridge.domain.delivery import Delivery
from bridge.domain.errors import Blocked, Refused
from bridge.domain.model import Batch, TriggerName, TriggerRef
from bridge.domain.plan import DeliveryMode
from bridge.domain.standing import Bookmark, Reset, ResetPhase, Standing
from bridge.domain.status import State
from bridge.engine.desk import ConflictError, OtherResetError, UnfitResetError, UnknownResetError
from bridge.engine.supervisor import Supervisor
from tests.fakes.clock import START, FakeClock
from tests.fakes.plans import REF, a_plan
from tests.fakes.source import FakeSource
from tests.unit.engine.world import World, sequence

NAME = TriggerName("disputes")
MODES = list(DeliveryMode)
FETCH_S = 0.2
DAY = "2020-06-{:02}T00:00:00Z"
OPEN = (ResetPhase.REQUESTED, ResetPhase.HOLDING, ResetPhase.RESETTING, ResetPhase.REPLAYING, ResetPhase.RETURNING)


def day(number: int) -> datetime:
    return datetime(2020, 6, number, tzinfo=UTC)


def a_reset(
    to: datetime, *, until: datetime | None = None, prefix: str = "", id_: str = "r1", requested_at: datetime = START
) -> Reset:
    return Reset(
        id=id_,
        to_comment_created_at=to,
        requested_at=requested_at,
        requested_by="operate",
        until=until,
        topic_prefix=prefix,
    )


class SlowSource(FakeSource):
    """A fetch takes a while, in which a test can look."""

    def __init__(self, clock: FakeClock, *, announces_end: bool) -> None:
        super().__init__(announces_end=announces_end)
        self._clock = clock

    @override
    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        await self._clock.sleep(FETCH_S)
        return await super().fetch(trigger, size)


class Town(World):
    """Five results a day, numbered from 1, on the days 1 to 4 of June; both modes on logs of the same reading."""

    def __init__(self, mode: DeliveryMode, *, batch_size: int = 3, announces_end: bool = True) -> None:
        super().__init__(a_plan(delivery=mode, batch_size=batch_size))
        self.source = SlowSource(self.clock, announces_end=announces_end)
        self.source.make(REF)
        self.neighbours = replace(self.neighbours, source=self.source)
        for number in (1, 2, 3, 4):
            self.upload(5, created_at=DAY.format(number))

    @property
    def records(self) -> list[Delivery]:
        if self.plan.delivery is DeliveryMode.AT_LEAST_ONCE:
            return self.log.records
        log = self.transactions.log
        topics = dict.fromkeys(record.delivery.topic for record in log.appended if record.delivery)
        return [record.delivery for topic in topics for record in log.committed(topic) if record.delivery]

    def seen(self, topic: str, generation: int) -> list[str]:
        return [
            record.sequence_id
            for record in self.records
            if record.topic == topic and dict(record.headers)["ce_generation"] == b"%d" % generation
        ]

    @property
    def standing(self) -> Standing:
        return self.store.standings.get(NAME, Standing())

    @asynccontextmanager
    async def settled_town(self) -> AsyncIterator[Supervisor]:
        """Everything of the four days published."""
        async with self.running() as supervisor:
            await self.until(lambda: self.pending == 0)
            yield supervisor

    async def over(self) -> Reset:
        """The latest reset, once it is over."""
        await self.until(lambda: bool(self.standing.resets) and self.standing.open_reset is None)
        return self.standing.resets[-1]


@pytest.mark.parametrize("announces_end", [True, False])
@pytest.mark.parametrize("mode", MODES)
async def test_a_replay_until_an_instant_ends_there_and_the_trigger_goes_on_where_it_was(
    mode: DeliveryMode, announces_end: bool
) -> None:
    """I3, I4: days 2 and 3 come again, in a generation of their own; what is new comes once, in the next."""
    town = Town(mode, announces_end=announces_end)
    async with town.settled_town() as supervisor:
        await supervisor.reset(NAME, a_reset(day(2), until=day(4)))
        reset = await town.over()
        town.upload(2, created_at="2026-02-01T00:00:00Z")
        await town.until(lambda: town.pending == 0)
        assert town.worker(supervisor).status.state in (State.RUNNING, State.IDLE)
    assert town.seen("rpa.urgent", 0) == sequence(1, 20)
    assert town.seen("rpa.urgent", 1) == sequence(6, 15)
    assert town.seen("rpa.urgent", 2) == sequence(21, 22)
    assert (reset.phase, reset.generation, reset.replayed, reset.error) == (ResetPhase.DONE, 1, 10, "")
    assert town.standing.generation == 2


@pytest.mark.parametrize("mode", MODES)
async def test_what_arrives_during_a_replay_is_published_afterwards_in_order(mode: DeliveryMode) -> None:
    town = Town(mode)
    async with town.settled_town() as supervisor:
        await supervisor.reset(NAME, a_reset(day(1), until=day(3)))
        await town.until(lambda: bool(town.seen("rpa.urgent", 1)))
        town.upload(3, created_at="2026-02-01T00:00:00Z")
        await town.over()
        await town.until(lambda: town.pending == 0)
    assert town.seen("rpa.urgent", 1) == sequence(1, 10)
    assert town.seen("rpa.urgent", 2) == sequence(21, 23)


@pytest.mark.parametrize("mode", MODES)
async def test_a_replay_to_other_topics_keeps_the_usual_ones_free_of_it(mode: DeliveryMode) -> None:
    """Without `until` it ends with what had been published when it was asked for."""
    town = Town(mode)
    town.upload_raw(
        b'{"sequence_id":"bad","comment":{"id":"1","uid":"s.1","created_at":"2020-06-04T00:00:00Z"},"labels":3}'
    )
    async with town.settled_town() as supervisor:
        await supervisor.reset(NAME, a_reset(day(4), prefix="try."))
        await town.until(lambda: town.standing.open_reset is not None)
        town.upload(2, created_at="2026-02-01T00:00:00Z")
        reset = await town.over()
        await town.until(lambda: town.pending == 0)
    assert reset.phase is ResetPhase.DONE
    assert town.seen("try.rpa.urgent", 1) == sequence(16, 20)
    assert town.seen("try.rpa.dead", 1) == ["bad"]
    assert town.seen("rpa.urgent", 1) == town.seen("rpa.dead", 1) == []
    assert town.seen("rpa.urgent", 2) == sequence(22, 23)
    by_topic = {record.topic: record.value for record in town.records if record.sequence_id == "seq-16"}
    assert b'"topic":"try.rpa.urgent"' in by_topic["try.rpa.urgent"]


@pytest.mark.parametrize("mode", MODES)
async def test_a_replay_never_runs_into_what_nobody_has_got_yet(mode: DeliveryMode) -> None:
    """A trigger that lags: pending results within the window are no part of it; they come once, afterwards."""
    town = Town(mode, batch_size=4)
    town.upload(10, created_at=DAY.format(4))
    async with town.running() as supervisor:
        await town.until(lambda: town.pending <= 22)
        await supervisor.pause(NAME, "operate", "")
        await town.clock.sleep(60)
        before = town.pending
        published = 30 - before
        await supervisor.reset(NAME, a_reset(day(1), until=day(5)))
        await supervisor.resume(NAME, "operate")
        await town.over()
        await town.until(lambda: town.pending == 0)
    assert 0 < before < 30
    assert town.seen("rpa.urgent", 1) == sequence(1, published)
    assert town.seen("rpa.urgent", 2) == sequence(published + 1, 30)


@pytest.mark.parametrize("mode", MODES)
async def test_a_fresh_process_carries_one_batch_to_learn_where_it_stands(mode: DeliveryMode) -> None:
    town = Town(mode)
    town.store.standings[NAME] = Standing().with_reset(a_reset(day(1), until=day(2)))
    async with town.running():
        reset = await town.over()
        await town.until(lambda: town.pending == 0)
    assert reset.phase is ResetPhase.DONE
    first = len(town.seen("rpa.urgent", 0))
    assert first in (3, 6)
    assert town.seen("rpa.urgent", 1) == sequence(1, min(first, 5))
    assert town.seen("rpa.urgent", 2) == sequence(first + 1, 20)


@pytest.mark.parametrize("mode", MODES)
async def test_an_empty_trigger_replays_nothing_and_stays_where_it_is(mode: DeliveryMode) -> None:
    town = World(a_plan(delivery=mode))
    town.store.standings[NAME] = Standing().with_reset(a_reset(day(1), until=day(2)))
    async with town.running():
        await town.until(lambda: town.store.standings[NAME].open_reset is None)
        town.upload(2)
        await town.until(lambda: town.pending == 0)
    assert town.store.standings[NAME].resets[-1].phase is ResetPhase.DONE


async def test_a_paused_trigger_that_does_not_know_its_place_waits_with_a_replay_that_has_an_end() -> None:
    town = Town(DeliveryMode.AT_LEAST_ONCE)
    async with town.running() as supervisor:
        await supervisor.pause(NAME, "operate", "")
    async with town.running() as supervisor:
        published = len(town.records)
        await supervisor.reset(NAME, a_reset(day(1), until=day(2)))
        await town.clock.sleep(600)
        assert town.standing.resets[-1].phase is ResetPhase.REQUESTED
        assert len(town.records) == published, "a pause is a pause"
        await supervisor.resume(NAME, "operate")
        assert (await town.over()).phase is ResetPhase.DONE


@pytest.mark.parametrize("phase", OPEN)
@pytest.mark.parametrize("mode", MODES)
async def test_called_off_at_any_phase_the_trigger_goes_on_where_it_was(mode: DeliveryMode, phase: ResetPhase) -> None:
    """I3, I7: what was replayed until then stays in its generation, and nothing else comes twice or not at all."""
    town = Town(mode)
    async with town.settled_town():
        saved = Bookmark(batch_id=town.source.position(REF), last=sequence(20, 20)[0])  # type: ignore[arg-type]
    if phase in (ResetPhase.RESETTING, ResetPhase.REPLAYING, ResetPhase.RETURNING):
        await town.source.reset(REF, day(2))
    reset = replace(a_reset(day(2), until=day(3)), phase=phase, saved=saved)
    standing = Standing().with_reset(reset)
    if phase in (ResetPhase.REPLAYING, ResetPhase.RETURNING):
        standing = standing.raised_by("r1").with_reset(replace(reset, generation=standing.raised_by("r1").generation))
    town.store.standings[NAME] = standing
    town.source.fail_next("fetch", times=3)
    town.source.fail_next("reset", times=2)
    town.source.fail_next("advance", times=2)
    town.store.save_failures = 0
    async with town.running() as supervisor:
        try:
            await supervisor.cancel_reset(NAME, "r1", "operate")
            was_late = False
        except ConflictError:
            was_late = True
        over = await town.over()
        town.upload(2, created_at="2026-02-01T00:00:00Z")
        await town.until(lambda: town.pending == 0)
    assert was_late is (phase is ResetPhase.RETURNING)
    assert over.phase is (ResetPhase.DONE if was_late else ResetPhase.CANCELLED)
    assert over.error == ("" if was_late else "cancelled by operate")
    assert town.seen("rpa.urgent", 0)[:20] == sequence(1, 20)
    new = [record.sequence_id for record in town.records if record.sequence_id in sequence(21, 22)]
    assert new == sequence(21, 22)
    assert set(town.seen("rpa.urgent", 1)) <= {*sequence(6, 10), *sequence(21, 22)}


@pytest.mark.parametrize("mode", MODES)
async def test_called_off_in_the_middle_of_a_replay(mode: DeliveryMode) -> None:
    town = Town(mode, batch_size=2)
    async with town.settled_town() as supervisor:
        await supervisor.reset(NAME, a_reset(day(1)))
        await town.until(lambda: bool(town.seen("rpa.urgent", 1)))
        town.source.fail_next("fetch", times=30)
        cancelled = await supervisor.cancel_reset(NAME, "r1", "operate")
        assert cancelled.cancelled_by == "operate"
        assert (await supervisor.cancel_reset(NAME, "r1", "operate")).id == "r1", "twice is once"
        assert (await town.over()).phase is ResetPhase.CANCELLED
        town.upload(2, created_at="2026-02-01T00:00:00Z")
        await town.until(lambda: town.pending == 0)
        with pytest.raises(UnknownResetError):
            await supervisor.cancel_reset(NAME, "r9", "operate")
    replayed = town.seen("rpa.urgent", 1)
    assert replayed == sequence(1, len(replayed))
    assert len(replayed) < 20
    assert town.seen("rpa.urgent", 2) == sequence(21, 22)


async def test_a_replay_of_a_trigger_whose_place_was_not_known_has_no_way_back() -> None:
    town = Town(DeliveryMode.AT_LEAST_ONCE)
    reset = replace(a_reset(day(1)), phase=ResetPhase.REPLAYING)
    town.store.standings[NAME] = Standing().with_reset(reset)
    town.source.go_down()
    async with town.running() as supervisor:
        with pytest.raises(ConflictError, match="no way back"):
            await supervisor.cancel_reset(NAME, "r1", "operate")


async def test_a_blocked_replay_to_topics_that_are_missing_says_so_and_can_be_called_off() -> None:
    town = Town(DeliveryMode.AT_LEAST_ONCE)
    async with town.settled_town() as supervisor:
        town.log.refusals = [Blocked("the topic try.rpa.urgent does not exist", code="topic_missing")] * 1000
        await supervisor.reset(NAME, a_reset(day(1), prefix="try."))
        await town.until(lambda: town.worker(supervisor).status.state is State.BLOCKED)
        assert "try.rpa.urgent" in town.worker(supervisor).status.reason
        await supervisor.cancel_reset(NAME, "r1", "operate")
        assert (await town.over()).phase is ResetPhase.CANCELLED
        town.log.refusals = []
        town.upload(1, created_at="2026-02-01T00:00:00Z")
        await town.until(lambda: town.pending == 0)
    assert town.seen("rpa.urgent", 2) == sequence(21, 21)


@pytest.mark.parametrize("mode", MODES)
async def test_a_way_back_that_the_platform_refuses_loses_nothing(mode: DeliveryMode) -> None:
    """It goes on from where the replay ended, in the next generation: a repeat with a cause (I5)."""
    town = Town(mode)
    async with town.settled_town() as supervisor:
        await supervisor.reset(NAME, a_reset(day(2), until=day(3)))
        await town.until(lambda: town.standing.open_reset is not None and bool(town.standing.open_reset.replayed))
        town.source.fail_next("advance", error=Refused("an unknown position", code="refused"))
        reset = await town.over()
        await town.until(lambda: town.pending == 0)
    assert (reset.phase, reset.error.split(":")[0]) == (ResetPhase.FAILED, "refused")
    assert town.seen("rpa.urgent", 1) == sequence(6, 10)
    assert town.seen("rpa.urgent", 2)[-10:] == sequence(11, 20)


@pytest.mark.parametrize(
    ("reset", "said"),
    [
        (a_reset(day(2), until=day(2)), "until is not later"),
        (a_reset(day(2), prefix="a b"), "characters no topic can have"),
        (a_reset(day(2), prefix="x" * 245), "249"),
    ],
)
async def test_what_can_never_be_done_is_refused_in_words(reset: Reset, said: str) -> None:
    town = Town(DeliveryMode.AT_LEAST_ONCE)
    async with town.settled_town() as supervisor:
        with pytest.raises(UnfitResetError, match=said):
            await supervisor.reset(NAME, reset)
    assert town.standing.resets == ()


async def test_one_id_with_other_wishes_is_refused() -> None:
    town = Town(DeliveryMode.AT_LEAST_ONCE)
    async with town.settled_town() as supervisor:
        await supervisor.reset(NAME, a_reset(day(2)))
        with pytest.raises(OtherResetError):
            await supervisor.reset(NAME, a_reset(day(3)))
        later = replace(a_reset(day(2)), requested_at=START.replace(year=2027))
        assert (await supervisor.reset(NAME, later)).id == "r1"


async def test_a_reset_the_platform_refuses_with_an_end_leaves_everything() -> None:
    town = Town(DeliveryMode.AT_LEAST_ONCE)
    async with town.settled_town() as supervisor:
        town.source.fail_next("reset", error=Refused("no", code="refused"))
        await supervisor.reset(NAME, a_reset(day(2), until=day(3)))
        assert (await town.over()).phase is ResetPhase.FAILED
    assert town.standing.generation == 0
