"""What every TransactionalPublisher does: one suite, on the fake and on Apache Kafka (D3)."""

from __future__ import annotations

import pytest

from bridge.domain.errors import Blocked, Retry
from tests.contract.publisher.words import a_delivery, all_acked, numbered
from tests.contract.transactions.conftest import FakeWorld, MakeWorld, World
from tests.contract.transactions.words import DISPUTES, FEES, at, codes
from tests.fakes.transactions import Doubt

TOO_LARGE = 1_000_000


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.kafka_apache)])
def world(request: pytest.FixtureRequest, world_on: MakeWorld) -> World:
    if request.param == "fake":
        return FakeWorld()
    broker = request.getfixturevalue("kafka")
    return world_on(broker.bootstrap_servers, request.getfixturevalue("topics"))


async def test_a_batch_is_committed_with_its_position(world: World) -> None:
    """I4."""
    topics = [await world.make(3), await world.make(1)]
    publisher = await world.process()
    assert await publisher.take_over(DISPUTES) is None
    deliveries = [a_delivery(topics[number % 2], number) for number in range(10)]
    receipts = await publisher.publish_atomically(DISPUTES, deliveries, at(0, 9))
    assert all_acked(receipts)
    assert [receipt.mark for receipt in receipts] == [delivery.mark for delivery in deliveries]
    for place, topic in enumerate(topics):
        assert await world.committed(topic) == list(range(place, 10, 2))
    assert await (await world.process()).take_over(DISPUTES) == at(0, 9)


async def test_batches_follow_each_other_on_one_producer(world: World) -> None:
    """I9."""
    topic = await world.make()
    publisher = await world.process()
    await publisher.take_over(DISPUTES)
    for start in (0, 5, 10):
        deliveries = numbered(topic, range(start, start + 5), keys=1)
        assert all_acked(await publisher.publish_atomically(DISPUTES, deliveries, at(start, start + 4)))
    assert await world.committed(topic) == list(range(15))
    assert await publisher.take_over(DISPUTES) == at(10, 14)


async def test_a_batch_without_deliveries_commits_its_position_alone(world: World) -> None:
    publisher = await world.process()
    await publisher.take_over(DISPUTES)
    assert await publisher.publish_atomically(DISPUTES, [], at(1, 3)) == []
    assert await publisher.take_over(DISPUTES) == at(1, 3)


async def test_positions_are_kept_apart_and_whole(world: World) -> None:
    topic = await world.make()
    publisher = await world.process()
    for trigger, position in ((DISPUTES, at(1, 1, generation=2, earlier=["seq-a", "seq-ü"])), (FEES, at(7, 7))):
        await publisher.take_over(trigger)
        assert all_acked(await publisher.publish_atomically(trigger, [a_delivery(topic, 1)], position))
    assert await publisher.take_over(FEES) == at(7, 7)
    assert await publisher.take_over(DISPUTES) == at(1, 1, generation=2, earlier=["seq-a", "seq-ü"])


async def test_nobody_publishes_who_has_not_taken_over(world: World) -> None:
    topic = await world.make()
    publisher = await world.process()
    with pytest.raises(Retry) as refused:
        await publisher.publish_atomically(DISPUTES, [a_delivery(topic, 1)], at(1, 1))
    assert refused.value.code == "not_taken_over"
    await publisher.take_over(DISPUTES)
    await publisher.release(DISPUTES)
    with pytest.raises(Retry):
        await publisher.publish_atomically(DISPUTES, [a_delivery(topic, 1)], at(1, 1))
    assert await world.committed(topic) == []


async def test_a_record_that_is_too_large_leaves_nothing_of_its_batch_visible(world: World) -> None:
    """I8: told apart from those that go down with it, so that the next pass can park it alone."""
    topic = await world.make()
    publisher = await world.process()
    await publisher.take_over(DISPUTES)
    deliveries = [a_delivery(topic, number, size=TOO_LARGE if number == 2 else 0) for number in range(4)]
    failed = codes(await publisher.publish_atomically(DISPUTES, deliveries, at(0, 3)))
    assert failed[2] == "too_large"
    assert not {"too_large", ""} & {*failed[:2], failed[3]}
    assert await world.committed(topic) == []
    assert await publisher.take_over(DISPUTES) is None
    assert all_acked(await publisher.publish_atomically(DISPUTES, [*deliveries[:2], deliveries[3]], at(0, 3)))
    assert await world.committed(topic) == [0, 1, 3]


async def test_a_missing_topic_blocks_and_nothing_of_the_batch_is_visible(world: World) -> None:
    there, missing = await world.make(), await world.missing()
    publisher = await world.process()
    await publisher.take_over(DISPUTES)
    with pytest.raises(Blocked, match=missing) as blocked:
        await publisher.publish_atomically(DISPUTES, [a_delivery(there, 1), a_delivery(missing, 2)], at(1, 2))
    assert blocked.value.code == "topic_missing"
    assert await world.committed(there) == []
    assert await publisher.take_over(DISPUTES) is None


async def test_a_new_owner_fences_the_one_before(world: World) -> None:
    """I6: a zombie that wakes up publishes nothing."""
    topic = await world.make()
    zombie, owner = await world.process(), await world.process()
    await zombie.take_over(DISPUTES)
    assert all_acked(await zombie.publish_atomically(DISPUTES, [a_delivery(topic, 1)], at(1, 1)))
    assert await owner.take_over(DISPUTES) == at(1, 1)
    with pytest.raises(Blocked) as fenced:
        await zombie.publish_atomically(DISPUTES, [a_delivery(topic, 2)], at(2, 2))
    assert fenced.value.code == "taken_over"
    assert all_acked(await owner.publish_atomically(DISPUTES, [a_delivery(topic, 3)], at(3, 3)))
    assert await world.committed(topic) == [1, 3]
    assert await owner.take_over(DISPUTES) == at(3, 3)


@pytest.mark.parametrize("doubt", list(Doubt))
async def test_after_a_commit_in_doubt_the_log_says_what_became_of_it(world: World, doubt: Doubt) -> None:
    """D14."""
    topic = await world.make()
    publisher = await world.process()
    await publisher.take_over(DISPUTES)
    assert all_acked(await publisher.publish_atomically(DISPUTES, [a_delivery(topic, 1)], at(1, 1)))
    world.doubt_next(doubt, publisher)
    with pytest.raises(Retry):
        await publisher.publish_atomically(DISPUTES, [a_delivery(topic, 2)], at(2, 2))
    with pytest.raises(Retry) as unused:
        await publisher.publish_atomically(DISPUTES, [a_delivery(topic, 9)], at(9, 9))
    assert unused.value.code == "not_taken_over"
    committed = doubt is Doubt.AFTER_COMMIT
    assert await publisher.take_over(DISPUTES) == (at(2, 2) if committed else at(1, 1))
    assert await world.committed(topic) == ([1, 2] if committed else [1])
    assert all_acked(await publisher.publish_atomically(DISPUTES, [a_delivery(topic, 3)], at(3, 3)))
    assert await world.committed(topic) == ([1, 2, 3] if committed else [1, 3])


async def test_a_dead_owners_open_transaction_is_ended_by_the_next(world: World) -> None:
    """Trap: until then it hides everything behind it from every read_committed consumer."""
    topic = await world.make()
    dead, other = await world.process(), await world.process()
    await dead.take_over(DISPUTES)
    world.doubt_next(Doubt.BEFORE_COMMIT, dead)
    with pytest.raises(Retry):
        await dead.publish_atomically(DISPUTES, [a_delivery(topic, 1)], at(1, 1))
    await other.take_over(DISPUTES)
    assert all_acked(await other.publish_atomically(DISPUTES, [a_delivery(topic, 2)], at(2, 2)))
    assert await world.committed(topic) == [2]
