"""What only a broker can show: limits, rights, topics that come and go, answers that are lost."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bridge.adapters.kafka import connection, directory
from bridge.adapters.kafka.packing import Ready
from bridge.adapters.kafka.settings import TopicCreation
from bridge.domain.delivery import Outcome
from bridge.domain.errors import Blocked, Fatal, Retry
from tests.contract.publisher.conftest import KafkaWorld, MakeWorld
from tests.contract.publisher.words import a_delivery, all_acked, number_of, numbered, outcomes
from tests.neighbours.choice import Broker
from tests.neighbours.topics import Topics

UNREACHABLE = "127.0.0.1:1"
HEALED_S = 30.0


@pytest.fixture
def world(kafka: Broker, topics: Topics, world_on: MakeWorld) -> KafkaWorld:
    return world_on(kafka.bootstrap_servers, topics)


async def until_acked(world: KafkaWorld, deliveries: list[Any]) -> None:
    """Publishes again and again, as a worker does."""
    deadline = time.monotonic() + HEALED_S
    while time.monotonic() < deadline:
        try:
            if all_acked(await world.publisher.publish(deliveries)):
                return
        except (Retry, Blocked):
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"not acked within {HEALED_S:.0f} s")


# Size


async def test_a_topics_own_limit_is_kept_before_the_send(world: KafkaWorld) -> None:
    topic = await world.topics.create("small", config={"max.message.bytes": "20000"})
    deliveries = [a_delivery(topic, number, size=30_000 if number == 3 else 4_000) for number in range(12)]
    receipts = await world.publisher.publish(deliveries)
    assert [number for number, receipt in enumerate(receipts) if receipt.outcome is not Outcome.ACKED] == [3]
    assert (receipts[3].outcome, receipts[3].code) == (Outcome.FAILED, "too_large")
    assert [number_of(row) for row in await world.rows(topic)] == [n for n in range(12) if n != 3]
    assert world.abandoned == []


@pytest.mark.kafka_apache
async def test_a_limit_that_may_not_be_read_is_learned_from_refusals(
    world: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I8: a batch that is refused says nothing of its records, so none of them is called too large for it."""

    async def nothing(*_: object) -> Mapping[str, Mapping[str, str]]:
        return {}

    monkeypatch.setattr(directory, "topic_configs", nothing)
    topic = await world.topics.create("small", config={"max.message.bytes": "20000"})
    deliveries = [a_delivery(topic, number, size=4_000) for number in range(12)]
    first = await world.publisher.publish(deliveries)
    assert {(receipt.outcome, receipt.code) for receipt in first} == {(Outcome.FAILED, "batch_too_large")}
    await until_acked(world, deliveries)
    rows = [number_of(row) for row in await world.rows(topic)]
    assert rows[-12:] == list(range(12))
    assert world.abandoned == []


@pytest.mark.kafka_apache
async def test_a_limit_that_was_lowered_is_noticed_by_the_refusal(world: KafkaWorld) -> None:
    topic = await world.topics.create("lowered")
    big = a_delivery(topic, 1, size=50_000)
    assert all_acked(await world.publisher.publish([big]))
    await alter(world.bootstrap_servers, topic, {"max.message.bytes": "20000"})
    for _ in range(2):
        (receipt,) = await world.publisher.publish([big])
        assert (receipt.outcome, receipt.code) == (Outcome.FAILED, "too_large")
    assert all_acked(await world.publisher.publish([a_delivery(topic, 2)]))


async def test_the_half_that_goes_first_is_packed_when_it_is_prepared(world: KafkaWorld) -> None:
    topic = await world.make(4)
    assert all_acked(await world.publisher.publish([a_delivery(topic, 0)]))
    for size, packed in ((100, set[bool]()), (20_000, {True, False})):
        prepared = world.publisher.prepare(numbered(topic, range(40), keys=20, size=size))
        assert isinstance(prepared, Ready)
        lanes = prepared.take() or []
        assert sum(len(lane.held) + sum(len(each.indexes) for each in lane.parcels) for lane in lanes) == 40
        assert {bool(lane.parcels) for lane in lanes} == (packed or {False})
        assert prepared.take() is None


# A refusal is one batch's matter


@pytest.mark.kafka_apache
async def test_a_refusal_disturbs_nobody_else(world: KafkaWorld) -> None:
    """The refused batch leaves a gap in the sequence of its partition, which must not cost the next one its ack."""
    topic = await world.topics.create("refusing")
    assert all_acked(await world.publisher.publish([a_delivery(topic, 0, size=50_000)]))
    await alter(world.bootstrap_servers, topic, {"max.message.bytes": "20000"})
    others = [await world.make() for _ in range(3)]
    calls = [numbered(other, range(200)) for other in others]
    refused, *fine = await asyncio.gather(
        world.publisher.publish([a_delivery(topic, 1, size=50_000)]),
        *(world.publisher.publish(call) for call in calls),
    )
    assert outcomes(refused) == [Outcome.FAILED]
    assert all(all_acked(receipts) for receipts in fine)
    assert all_acked(await world.publisher.publish([a_delivery(topic, 2)]))
    assert world.abandoned == []


# Topics that come and go


async def test_missing_topics_are_made_when_they_may_be(kafka: Broker, world_on: MakeWorld, topics: Topics) -> None:
    creation = TopicCreation(create=True, partitions=3, replication_factor=1)
    made = [world_on(kafka.bootstrap_servers, topics, topics=creation) for _ in range(2)]
    topic = await made[0].missing()
    answers = await asyncio.gather(*(world.publisher.publish(numbered(topic, range(9))) for world in made))
    assert all(all_acked(receipts) for receipts in answers)
    rows = await made[0].rows(topic)
    assert sorted(number_of(row) for row in rows) == sorted([*range(9), *range(9)])
    assert {row.partition for row in rows} <= {0, 1, 2}


@pytest.mark.kafka_apache
async def test_a_topic_that_cannot_be_made_blocks_with_the_reason(kafka: Broker, world_on: MakeWorld) -> None:
    world = world_on(kafka.bootstrap_servers, topics=TopicCreation(create=True, replication_factor=3))
    topic = f"too-many-copies-{uuid.uuid4().hex[:12]}"
    with pytest.raises(Blocked, match=topic) as blocked:
        await world.publisher.publish([a_delivery(topic, 1)])
    assert blocked.value.code == "too_few_brokers"


@pytest.mark.kafka_apache
async def test_a_topic_deleted_and_made_again_heals_without_a_restart(world: KafkaWorld) -> None:
    topic = await world.make()
    assert all_acked(await world.publisher.publish(numbered(topic, range(3))))
    await world.topics.delete(topic)
    receipts = await world.publisher.publish(numbered(topic, range(3, 6)))
    assert set(outcomes(receipts)) == {Outcome.UNKNOWN}
    with pytest.raises(Blocked, match=topic):
        await world.publisher.publish(numbered(topic, range(3, 6)))
    await world.topics.create_named(topic)
    await until_acked(world, numbered(topic, range(3, 6)))
    assert [number_of(row) for row in await world.rows(topic)][-3:] == [3, 4, 5]


@pytest.mark.kafka_apache
async def test_a_topic_that_grows_is_noticed(
    kafka: Broker, topics: Topics, world_on: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "METADATA_AGE_MAX_MS", 100)
    world = world_on(kafka.bootstrap_servers, topics)
    topic = await world.make(1)
    assert all_acked(await world.publisher.publish(numbered(topic, range(20), keys=20)))
    await grow(kafka.bootstrap_servers, topic, 4)
    used: set[int] = set()
    deadline = time.monotonic() + HEALED_S
    while len(used) < 4 and time.monotonic() < deadline:
        receipts = await world.publisher.publish(numbered(topic, range(20), keys=20))
        assert all_acked(receipts)
        used = {receipt.partition for receipt in receipts}
        await asyncio.sleep(0.05)
    assert used == {0, 1, 2, 3}


# Nobody there


async def test_no_broker_is_retry_and_quick(world_on: MakeWorld) -> None:
    world = world_on(UNREACHABLE)
    began = time.monotonic()
    with pytest.raises(Retry) as refused:
        await world.publisher.publish([a_delivery("any", 1)])
    assert refused.value.code == "broker_unavailable"
    with pytest.raises(Retry):
        await world.publisher.ping()
    assert time.monotonic() - began < 3.0
    assert world.abandoned == []


async def test_ping_finds_the_broker(world: KafkaWorld) -> None:
    await world.publisher.ping()


async def test_after_close_it_refuses(world: KafkaWorld) -> None:
    topic = await world.make()
    assert all_acked(await world.publisher.publish([a_delivery(topic, 1)]))
    await world.publisher.close()
    with pytest.raises(Retry, match="closed"):
        await world.publisher.publish([a_delivery(topic, 1)])


async def test_settings_that_cannot_work_are_refused_at_start(world_on: MakeWorld) -> None:
    for changes in (
        {"security_protocol": "SASL_PLAINTEXT"},
        {"security_protocol": "SSL", "ssl_cafile": "/no/such/file"},
        {"compression": "brotli"},
    ):
        with pytest.raises(Fatal):
            await world_on(UNREACHABLE, **changes).publisher.start()


async def alter(bootstrap_servers: str, topic: str, configs: dict[str, str]) -> None:
    """Sets a topic's settings while it is in use."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])
    finally:
        await admin.close()


async def grow(bootstrap_servers: str, topic: str, partitions: int) -> None:
    """Gives a topic more partitions while it is in use."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(partitions)})
    finally:
        await admin.close()
