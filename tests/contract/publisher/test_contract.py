"""What every Publisher does: one suite, on the fake and on a broker."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.partitioner import murmur2

from bridge.domain.delivery import Outcome
from bridge.domain.errors import Blocked
from tests.contract.publisher.conftest import FakeWorld, MakeWorld, World
from tests.contract.publisher.words import a_delivery, all_acked, number_of, numbered, outcomes

TOO_LARGE = 1_000_000


@pytest.fixture(params=["fake", "kafka"])
def world(request: pytest.FixtureRequest, world_on: MakeWorld) -> World:
    if request.param == "fake":
        return FakeWorld()
    broker = request.getfixturevalue("kafka")
    return world_on(broker.bootstrap_servers, request.getfixturevalue("topics"), publish_timeout_s=20.0)


async def test_nothing_to_publish_is_fine(world: World) -> None:
    assert await world.publisher.publish([]) == []


async def test_each_delivery_is_in_the_log_where_its_receipt_says(world: World) -> None:
    """I1."""
    topic = await world.make(3)
    deliveries = numbered(topic, range(40))
    receipts = await world.publisher.publish(deliveries)
    assert all_acked(receipts)
    assert [receipt.mark for receipt in receipts] == [delivery.mark for delivery in deliveries]
    there = {(row.partition, row.offset): row for row in await world.rows(topic)}
    assert len(there) == 40
    for delivery, receipt in zip(deliveries, receipts, strict=True):
        row = there[receipt.partition, receipt.offset]
        assert (row.key, row.value, row.headers) == (delivery.key, delivery.value, delivery.headers)
        assert (receipt.topic, receipt.code, receipt.blocked) == (topic, "", False)


@pytest.mark.parametrize("size", [0, 20_000])
async def test_what_is_prepared_is_published_like_any_other(world: World, size: int) -> None:
    """I1, I9: small, and large enough to be packed before and sent by halves. Twice is two publishes."""
    topics = [await world.make(3), await world.make(2)]
    assert all_acked(await world.publisher.publish([a_delivery(topic, 99) for topic in topics]))
    deliveries = [each for topic in topics for each in numbered(topic, range(20), size=size)]
    prepared = world.publisher.prepare(deliveries)
    assert [*prepared] == deliveries
    for _ in range(2):
        receipts = await world.publisher.publish(prepared)
        assert all_acked(receipts)
        assert [receipt.mark for receipt in receipts] == [delivery.mark for delivery in deliveries]
    for topic in topics:
        rows = [row for row in await world.rows(topic) if number_of(row) != 99]
        assert len({(row.partition, row.offset) for row in rows}) == 40
        for key in {row.key for row in rows}:
            of_key = [number_of(row) for row in rows if row.key == key]
            assert of_key == sorted(of_key[: len(of_key) // 2]) * 2
        assert {row.value for row in rows} == {each.value for each in deliveries if each.topic == topic}


async def test_what_is_prepared_and_not_published_is_nowhere(world: World) -> None:
    """I5: it was marked already. What is left of it may be published without the rest."""
    topic = await world.make(3)
    assert all_acked(await world.publisher.publish([a_delivery(topic, 99)]))
    prepared = world.publisher.prepare(numbered(topic, range(40), size=20_000))
    assert all_acked(await world.publisher.publish([each for each in prepared if each.sequence_id == "seq-7"]))
    assert [number_of(row) for row in await world.rows(topic)] in ([7, 99], [99, 7])


async def test_before_any_broker_was_asked_there_is_nothing_to_prepare(world: World) -> None:
    topic = await world.missing()
    deliveries = numbered(topic, range(3))
    prepared = world.publisher.prepare(deliveries)
    assert [*prepared] == deliveries
    with pytest.raises(Blocked):
        await world.publisher.publish(prepared)


async def test_the_partition_is_the_one_every_kafka_client_gives_the_key(world: World) -> None:
    topic = await world.make(7)
    deliveries = [a_delivery(topic, number, key=b"key-%d" % number) for number in range(50)]
    receipts = await world.publisher.publish(deliveries)
    expected = [(murmur2(delivery.key) & 0x7FFFFFFF) % 7 for delivery in deliveries]
    assert [receipt.partition for receipt in receipts] == expected


async def test_each_key_keeps_its_order_from_call_to_call(world: World) -> None:
    """I9."""
    topic = await world.make(3)
    for start in (0, 20, 40):
        assert all_acked(await world.publisher.publish(numbered(topic, range(start, start + 20))))
    rows = await world.rows(topic)
    for key in {row.key for row in rows}:
        of_key = [number_of(row) for row in rows if row.key == key]
        assert of_key == sorted(of_key)
        assert len(of_key) == 12


async def test_records_without_a_key_stay_together_and_take_turns(world: World) -> None:
    """Prepared before or not, and sent as they were prepared or not: a turn is taken by what is sent."""
    topic = await world.make(3)
    used = []
    for place in range(6):
        prepared = world.publisher.prepare([a_delivery(topic, number, key=None) for number in range(4)])
        receipts = await world.publisher.publish([*prepared] if place < 3 else prepared)
        assert all_acked(receipts)
        (partition,) = {receipt.partition for receipt in receipts}
        used.append(partition)
    assert used[:3] == used[3:]
    assert sorted(used[:3]) == [0, 1, 2]


async def test_one_record_that_is_too_large_fails_alone(world: World) -> None:
    topic = await world.make()
    deliveries = [a_delivery(topic, number, size=TOO_LARGE if number == 2 else 0) for number in range(5)]
    receipts = await world.publisher.publish(deliveries)
    failed = receipts[2]
    assert (failed.outcome, failed.code, failed.blocked, failed.partition) == (Outcome.FAILED, "too_large", False, 0)
    assert all_acked([*receipts[:2], *receipts[3:]])
    assert [number_of(row) for row in await world.rows(topic)] == [0, 1, 3, 4]


async def test_a_key_of_more_than_a_megabyte_is_too_large(world: World) -> None:
    topic = await world.make()
    receipts = await world.publisher.publish([a_delivery(topic, 1, key=b"k" * 1_100_000), a_delivery(topic, 2)])
    assert outcomes(receipts) == [Outcome.FAILED, Outcome.ACKED]
    assert receipts[0].code == "too_large"


async def test_more_than_a_batch_can_hold_is_split_in_order(world: World) -> None:
    topic = await world.make(2)
    deliveries = numbered(topic, range(30), size=200_000)
    receipts = await world.publisher.publish(deliveries)
    assert all_acked(receipts)
    rows = await world.rows(topic)
    for partition in (0, 1):
        of_partition = [number_of(row) for row in rows if row.partition == partition]
        assert of_partition == sorted(of_partition)
    assert sorted(number_of(row) for row in rows) == list(range(30))


async def test_several_topics_in_one_call(world: World) -> None:
    topics = [await world.make(2), await world.make(1)]
    deliveries = [a_delivery(topics[number % 2], number) for number in range(10)]
    assert all_acked(await world.publisher.publish(deliveries))
    for at, topic in enumerate(topics):
        assert [number_of(row) for row in await world.rows(topic)] == list(range(at, 10, 2))


async def test_a_missing_topic_blocks_before_anything_is_sent_and_heals_by_itself(world: World) -> None:
    there, missing = await world.make(), await world.missing()
    deliveries = [a_delivery(there, 1), a_delivery(missing, 2)]
    for _ in range(2):
        with pytest.raises(Blocked, match=missing) as blocked:
            await world.publisher.publish(deliveries)
        assert blocked.value.code == "topic_missing"
    assert await world.rows(there) == []
    assert all_acked(await world.publisher.publish([deliveries[0]]))
    await world.make_named(missing)
    assert all_acked(await world.publisher.publish(deliveries))
    assert [number_of(row) for row in await world.rows(missing)] == [2]


async def test_calls_at_the_same_time_do_not_disturb_each_other(world: World) -> None:
    topic = await world.make(3)
    calls = [numbered(topic, range(start, start + 30)) for start in range(0, 300, 30)]
    answers = await asyncio.gather(*(world.publisher.publish(call) for call in calls))
    assert all(all_acked(receipts) for receipts in answers)
    rows = await world.rows(topic)
    assert sorted(number_of(row) for row in rows) == list(range(300))
    for start in range(0, 300, 30):
        for key in {row.key for row in rows}:
            of_call = [number_of(row) for row in rows if row.key == key and number_of(row) in range(start, start + 30)]
            assert of_call == sorted(of_call)
