"""What only a broker can show: a shared state topic, a broker that stands still, limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka import transactions
from bridge.adapters.kafka.promises import findings
from bridge.adapters.kafka.state_topic import state_topic
from bridge.adapters.kafka.topic_promises import Needs
from bridge.adapters.kafka.transactions import KafkaTransactions
from bridge.domain.errors import Blocked, Retry
from bridge.domain.model import Generation
from bridge.domain.standing import Standing
from tests.contract.publisher.words import a_delivery, all_acked, numbered
from tests.contract.transactions.conftest import KafkaWorld, MakeWorld
from tests.contract.transactions.words import DISPUTES, FEES, at
from tests.fakes.transactions import Doubt
from tests.neighbours.apache import ApacheKafka
from tests.neighbours.choice import Broker, start_kafka
from tests.neighbours.topics import Topics

pytestmark = pytest.mark.kafka_apache


@pytest.fixture
def world(kafka: Broker, topics: Topics, world_on: MakeWorld) -> KafkaWorld:
    return world_on(kafka.bootstrap_servers, topics)


@pytest.fixture(scope="module")
def hurt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that may be hurt; each test leaves it running."""
    broker = start_kafka(tmp_path_factory.mktemp("hurt"))
    yield broker
    broker.stop()


async def test_a_position_behind_somebody_elses_open_transaction_is_waited_for(world: KafkaWorld) -> None:
    """The state topic is shared: to read only what can be seen at once would be to publish twice."""
    topic = await world.make()
    publisher = await world.process()
    await publisher.take_over(DISPUTES)
    async with AIOKafkaProducer(
        bootstrap_servers=world.bootstrap_servers, transactional_id=f"{world.deployment}.{FEES}"
    ) as other:
        await other.begin_transaction()
        await other.send_and_wait(state_topic(world.deployment), b"{}", key=b"fees/position")
        world.doubt_next(Doubt.AFTER_COMMIT, publisher)
        with pytest.raises(Retry):
            await publisher.publish_atomically(DISPUTES, [a_delivery(topic, 1)], at(1, 1))
        taking = asyncio.create_task(publisher.take_over(DISPUTES))
        done, _ = await asyncio.wait({taking}, timeout=1.0)
        assert not done, "the open transaction hides the position, and it was not waited for"
        await other.abort_transaction()
        assert await taking == at(1, 1)


async def test_a_transaction_that_nobody_ends_is_named_and_ended_by_an_operator(
    world: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1, I2: what it hides may be committed, so the trigger waits; it goes on as soon as the transaction is ended."""
    monkeypatch.setattr(transactions, "TAKE_OVER_S_MIN", 1.5)
    world.changes |= {"publish_timeout_s": 1.5}
    topic = await world.make()
    publisher = await world.process()
    await publisher.take_over(DISPUTES)
    assert all_acked(await publisher.publish_atomically(DISPUTES, [a_delivery(topic, 1)], at(1, 1)))
    async with AIOKafkaProducer(
        bootstrap_servers=world.bootstrap_servers, transactional_id=f"{world.deployment}.{FEES}"
    ) as other:
        await other.begin_transaction()
        sent = await other.send_and_wait(state_topic(world.deployment), b"{}", key=b"fees/position")
        with pytest.raises(Blocked, match=f"since offset {sent.offset} ") as refused:
            await publisher.take_over(DISPUTES)
        assert refused.value.code == "transaction_hanging"
        await other.abort_transaction()
    assert await publisher.take_over(DISPUTES) == at(1, 1)


async def test_an_open_transaction_hides_no_standing(world: KafkaWorld) -> None:
    """D18: a pause or a generation written behind a dead owner's transaction is read at once."""
    await world.process()
    async with AIOKafkaProducer(bootstrap_servers=world.bootstrap_servers, transactional_id=world.deployment) as other:
        await other.begin_transaction()
        await other.send_and_wait(state_topic(world.deployment), b"{}", key=b"fees/position")
        async with world.store as store:
            await store.save(DISPUTES, Standing(generation=Generation(3)))
            began = time.monotonic()
            assert (await world.store.load())[DISPUTES].generation == 3
            assert time.monotonic() - began < 3.0
        await other.abort_transaction()


async def test_a_broker_that_stands_still_leaves_a_doubt_that_the_log_settles(
    hurt: Broker, world_on: MakeWorld
) -> None:
    """D14, I7: bounded, the producer abandoned and counted, and each batch visible exactly once in the end."""
    world = world_on(hurt.bootstrap_servers, publish_timeout_s=2.0, request_timeout_s=0.7)
    topic = await world.make(2)
    publisher = await world.process()
    await publisher.take_over(DISPUTES)
    assert all_acked(await publisher.publish_atomically(DISPUTES, numbered(topic, range(5)), at(0, 4)))
    hurt.pause()
    try:
        began = time.monotonic()
        with pytest.raises(Retry):
            await publisher.publish_atomically(DISPUTES, numbered(topic, range(5, 10)), at(5, 9))
        with pytest.raises(Retry):
            await publisher.take_over(DISPUTES)
        assert time.monotonic() - began < 8.0
        assert world.abandoned
    finally:
        hurt.resume()
    world.changes |= {"publish_timeout_s": 30.0, "request_timeout_s": 5.0}
    owner = await world.process()
    recorded = await owner.take_over(DISPUTES)
    if recorded == at(0, 4):
        assert all_acked(await owner.publish_atomically(DISPUTES, numbered(topic, range(5, 10)), at(5, 9)))
    assert sorted(await world.committed(topic)) == list(range(10))


async def test_no_broker_is_retry_and_quick(world_on: MakeWorld) -> None:
    world = world_on("127.0.0.1:1")
    publisher = KafkaTransactions(world.settings, "nowhere", SystemClock(), on_abandoned=world.abandoned.append)
    async with publisher:
        began = time.monotonic()
        with pytest.raises(Retry) as refused:
            await publisher.take_over(DISPUTES)
        assert refused.value.code == "broker_unavailable"
        assert time.monotonic() - began < 3.0


async def test_a_batch_of_many_partitions_and_megabytes_is_one_transaction(world: KafkaWorld) -> None:
    topic = await world.make(6)
    publisher = await world.process()
    await publisher.take_over(DISPUTES)
    deliveries = numbered(topic, range(60), keys=20, size=200_000)
    assert all_acked(await publisher.publish_atomically(DISPUTES, deliveries, at(0, 59)))
    assert sorted(await world.committed(topic)) == list(range(60))


async def test_a_broker_that_is_impatient_with_transactions_is_found_out(
    tmp_path_factory: pytest.TempPathFactory, world_on: MakeWorld
) -> None:
    """D16: at the check, and at the take-over where the check may not ask."""
    broker = ApacheKafka.start(tmp_path_factory.mktemp("impatient"), config={"transaction.max.timeout.ms": "9000"})
    try:
        world = world_on(broker.bootstrap_servers)
        publisher = await world.process()
        with pytest.raises(Blocked) as refused:
            await publisher.take_over(DISPUTES)
        assert refused.value.code == "transaction_timeout_refused"
        settings = replace(world.settings, publish_timeout_s=10.0)
        name = state_topic(world.deployment)
        found = {
            transactional: [
                each.sentence
                for each in await findings(
                    settings,
                    [],
                    Needs(record_bytes_max=0, key_ttl_s=0.0),
                    state_topic=name,
                    transactional_ids=["prod.disputes"] if transactional else [],
                )
                if each.code == "transaction_limit"
            ]
            for transactional in (True, False)
        }
        assert found[False] == []
        (sentence,) = found[True]
        assert "transaction.max.timeout.ms=9000" in sentence
    finally:
        broker.stop()
