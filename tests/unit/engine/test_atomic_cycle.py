"""One pass in `exactly_once`: what is committed once, whatever is lost on the way (I1, I4, I6, I7, D3, D15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.domain.errors import Blocked, Retry, StopTrigger
from bridge.domain.model import Generation, SequenceId, TriggerName
from bridge.domain.plan import DeliveryMode, TriggerPlan
from bridge.domain.settle import Settled
from bridge.domain.status import State
from bridge.engine.atomic_cycle import PRODUCER_IDLE_S_MAX, run_atomic_cycle
from bridge.engine.cycle import Pass
from tests.fakes.plans import REF, a_plan
from tests.fakes.transactions import Doubt, FakeTransactions
from tests.unit.engine.test_worker import EARLY, a_reset
from tests.unit.engine.world import World, new_memory, sequence

NAME = TriggerName("disputes")


class Once(World):
    """A world whose trigger is carried in transactions."""

    def __init__(self, plan: TriggerPlan | None = None, *, batch_size: int = 512) -> None:
        super().__init__(plan or a_plan(delivery=DeliveryMode.EXACTLY_ONCE, batch_size=batch_size))

    async def once(self, generation: int = 0) -> Pass:
        return await run_atomic_cycle(self.plan, Generation(generation), self.memory, self.neighbours, self.signals)

    async def drain(self) -> None:
        """Pass after pass until nothing is left."""
        while self.pending:
            await self.once()

    def crash(self) -> None:
        """The process is gone, and with it all it knew."""
        self.memory = new_memory()

    def on(self, topic: str = "rpa.urgent") -> list[str]:
        """What a read_committed consumer gets, in the order of each partition."""
        return [record.delivery.sequence_id for record in self.transactions.log.committed(topic) if record.delivery]

    def is_once(self, count: int) -> bool:
        return sorted(self.on()) == sorted(sequence(1, count))

    @property
    def steps(self) -> list[str]:
        return [step for step, _ in self.transactions.calls]

    async def stale_advance(self, sequence_id: str) -> None:
        """An advance that somebody gave up waiting for arrives."""
        await self.source.advance(REF, Settled(sequence_id=SequenceId(sequence_id), marks=()))


async def test_a_batch_is_committed_with_its_position_and_advanced() -> None:
    world = Once()
    world.upload(3)
    done = await world.once()
    assert (done.advanced, world.pending) == (True, 0)
    assert world.is_once(3)
    position = world.transactions.log.position(NAME)
    assert position is not None
    assert (position.first, position.last, position.batch_id) == ("seq-1", "seq-3", "seq-3")
    assert position.records == {"urgent": 3}


async def test_the_take_over_comes_before_the_fetch_that_counts() -> None:
    """D3: nothing the former owner could still commit is behind that page."""
    world = Once()
    world.upload(1)
    order: list[str] = []

    async def note(step: str) -> None:
        order.append(f"{step} after {sum(call[0] == 'fetch' for call in world.source.calls)} fetches")

    world.transactions.hook = note
    await world.once()
    assert order[:3] == ["initialise after 1 fetches", "read after 1 fetches", "begin after 2 fetches"]
    world.upload(1)
    await world.once()
    assert world.steps == ["take_over", "publish", "publish"]


async def test_a_trigger_with_nothing_to_publish_has_no_producer() -> None:
    world = Once()
    assert not (await world.once()).advanced
    world.upload(4, filtered=True)
    assert (await world.once()).advanced
    assert (world.pending, world.steps) == (0, [])


async def test_results_that_no_route_takes_move_the_position_too() -> None:
    world = Once(a_plan({}, unmatched=None, delivery=DeliveryMode.EXACTLY_ONCE))
    world.upload(2)
    assert (await world.once()).advanced
    position = world.transactions.log.position(NAME)
    assert position is not None
    assert (position.batch_id, position.records) == ("seq-2", {})


async def test_the_ledger_is_never_asked() -> None:
    """D5: it goes on with Redis gone."""
    world = Once()
    world.ledger.go_down()
    world.upload(3)
    await world.once()
    assert (world.pending, world.ledger.calls) == (0, [])


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("answer_lost", [False, True])
async def test_what_was_committed_and_not_advanced_is_advanced_and_not_sent_again(
    crashes: bool, answer_lost: bool
) -> None:
    """I4, D3."""
    world = Once(batch_size=2)
    world.upload(4)
    if answer_lost:
        world.source.lose_answer("advance")
    else:
        world.source.fail_next("advance")
    with pytest.raises(Retry):
        await world.once()
    if crashes:
        world.crash()
    while (await world.once()).advanced:
        pass
    assert world.is_once(4)


@pytest.mark.parametrize("doubt", list(Doubt))
@pytest.mark.parametrize("crashes", [False, True])
async def test_a_commit_in_doubt_is_settled_by_the_log(doubt: Doubt, crashes: bool) -> None:
    """D14: committed, it is advanced; not committed, it is sent again by a new producer."""
    world = Once()
    world.upload(3)
    world.transactions.doubt_next(doubt)
    with pytest.raises(Retry):
        await world.once()
    assert world.pending == 3
    if crashes:
        world.crash()
    done = await world.once()
    assert world.steps[2] == "take_over"
    assert bool(done.sent) == (doubt is Doubt.BEFORE_COMMIT)
    assert world.is_once(3)
    assert world.pending == 0


async def test_results_that_come_up_behind_a_batch_in_doubt_are_not_skipped_with_it() -> None:
    world = Once()
    world.upload(2)
    world.transactions.doubt_next(Doubt.AFTER_COMMIT)
    with pytest.raises(Retry):
        await world.once()
    world.upload(3)
    while (await world.once()).advanced:
        pass
    assert world.is_once(5)


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("back_to", ["seq-2", "seq-4", "beginning"])
async def test_an_old_advance_that_moves_the_platform_back_repeats_nothing(back_to: str, crashes: bool) -> None:
    """D15."""
    world = Once(batch_size=2)
    world.upload(6)
    await world.drain()
    await world.stale_advance(back_to)
    assert world.pending > 0
    if crashes:
        world.crash()
    world.upload(2)
    await world.drain()
    assert world.is_once(8)


async def test_a_platform_that_does_not_move_is_asked_more_and_more_slowly() -> None:
    world = Once()
    world.upload(2)
    await world.once()
    world.source.repeat_page(times=4)
    for _ in range(3):
        await world.once()
    with pytest.raises(Retry) as stuck:
        await world.once()
    assert stuck.value.code == "position_stuck"
    world.upload(1)
    await world.once()
    assert world.is_once(3)


async def test_filtered_comments_behind_the_record_are_not_walked_again_after_a_restart() -> None:
    """I3: the record lags behind there, and the position must not go back to it."""
    world = Once(batch_size=2)
    world.upload(2)
    world.upload(4, filtered=True)
    while (await world.once()).advanced:
        pass
    world.crash()
    world.upload(1)
    positions = [call[2] for call in world.source.calls if call[0] == "advance"]
    await world.once()
    assert world.on() == ["seq-1", "seq-2", "seq-7"]
    assert [call[2] for call in world.source.calls if call[0] == "advance"] == [*positions, "seq-7"]


async def test_a_refused_record_leaves_nothing_visible_and_is_parked_by_the_next_pass() -> None:
    """I8."""
    world = Once()
    world.upload(3)
    world.transactions.refuse_next([1])
    with pytest.raises(Retry) as held:
        await world.once()
    assert (held.value.code, world.on()) == ("too_large", [])
    await world.once()
    assert (sorted(world.on()), world.on("rpa.dead")) == (["seq-1", "seq-3"], ["seq-2"])
    assert world.steps == ["take_over", "publish", "take_over", "publish"]


async def test_a_blocked_topic_holds_the_position() -> None:
    world = Once()
    world.upload(2)
    world.transactions.log.blocked["rpa.urgent"] = "topic_missing"
    with pytest.raises(Blocked):
        await world.once()
    assert (world.pending, world.on()) == (2, [])
    world.transactions.log.blocked.clear()
    await world.once()
    assert world.is_once(2)


async def test_a_zombie_publishes_nothing_and_its_late_advance_harms_nothing() -> None:
    """I6, D15."""
    world = Once(batch_size=2)
    world.upload(2)
    await world.once()
    zombie, zombies = world.memory, world.neighbours
    world.neighbours = replace(zombies, transactions=FakeTransactions(world.transactions.log))
    world.crash()
    world.upload(4)
    await world.once()
    with pytest.raises(Blocked) as fenced:
        await run_atomic_cycle(world.plan, Generation(0), zombie, zombies, world.signals)
    assert fenced.value.code == "taken_over"
    await world.stale_advance("seq-2")
    await world.drain()
    assert world.is_once(6)


async def test_too_large_a_share_of_dead_letters_stops_before_anything_is_sent() -> None:
    """I8."""
    world = Once()
    for number in range(30):
        world.upload_raw(b'{"sequence_id":"bad-%d","comment":17}' % number)
    with pytest.raises(StopTrigger):
        await world.once()
    assert world.transactions.log.appended == []


async def test_an_idle_producer_is_let_go_and_taken_again_when_there_is_work() -> None:
    world = Once()
    world.upload(1)
    await world.once()
    await world.once()
    assert world.transactions.owns(NAME)
    await world.clock.sleep(PRODUCER_IDLE_S_MAX + 1)
    await world.once()
    assert not world.transactions.owns(NAME)
    world.upload(1)
    await world.once()
    assert world.is_once(2)


async def test_a_reset_delivers_again_in_the_next_generation_and_nothing_twice_in_either() -> None:
    """I3, I4: the record of the old generation is void."""
    world = Once(batch_size=2)
    world.upload(2, created_at="2020-06-01T00:00:00Z")
    world.upload(3, created_at="2020-06-02T00:00:00Z")
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        await supervisor.reset(NAME, a_reset(datetime(2020, 6, 2, tzinfo=UTC)))
        await world.until(lambda: world.worker(supervisor).keeper.standing.open_reset is None)
        assert not world.ledger.calls
    generations = [
        (dict(record.delivery.headers)["ce_generation"], record.delivery.sequence_id)
        for record in world.transactions.log.committed("rpa.urgent")
        if record.delivery
    ]
    assert sorted(generations) == [(b"0", each) for each in sequence(1, 5)] + [(b"1", each) for each in sequence(3, 5)]
    assert not world.transactions.owns(NAME), "a worker that ends lets its producer go"


async def test_a_late_repeat_of_a_reset_replays_nothing_twice() -> None:
    world = Once(batch_size=2)
    world.upload(4, created_at="2020-06-01T00:00:00Z")
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        await supervisor.reset(NAME, a_reset(EARLY))
        await world.until(lambda: world.worker(supervisor).keeper.standing.open_reset is None)
        await world.source.reset(REF, EARLY)
        await world.until(lambda: world.pending == 0)
    assert sorted(world.on()) == sorted([*sequence(1, 4)] * 2)


async def test_a_trigger_that_leaves_the_mode_lets_its_producer_go() -> None:
    world = Once()
    world.upload(1)
    async with world.running() as supervisor:
        await world.until(lambda: world.pending == 0)
        assert world.transactions.owns(NAME)
        plain = a_plan()
        await supervisor.apply([plain])
        await world.until(lambda: not world.transactions.owns(NAME))
        world.upload(1)
        await world.until(lambda: world.pending == 0)
        assert world.worker(supervisor).status.state in (State.RUNNING, State.IDLE)
    assert (world.on(), world.log.on("rpa.urgent")) == (["seq-1"], ["seq-2"])
