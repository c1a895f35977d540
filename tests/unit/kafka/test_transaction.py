"""What becomes of a batch when its transaction has failed before it."""

from __future__ import annotations

import pytest
from aiokafka.errors import OperationNotAttempted, ProducerClosed, ProducerFenced, TopicAuthorizationFailedError

from bridge.adapters.kafka.batch import PlainContent
from bridge.adapters.kafka.failures import failure_of
from bridge.adapters.kafka.parcel import Lane
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.transaction import TransactionalProducer

SETTINGS = KafkaSettings(bootstrap_servers="127.0.0.1:9")


async def a_producer_in_a_transaction() -> TransactionalProducer:
    producer = TransactionalProducer(SETTINGS, "test.disputes")
    producer._txn_manager.set_pid_and_epoch(1, 0)
    producer._txn_manager.begin_transaction()
    return producer


def a_lane(topic: str) -> Lane:
    lane = Lane(topic, 0, 10_000, None, is_transactional=True)
    assert lane.add(0, 0, PlainContent(b"k", b"v"))
    return lane


async def test_the_partitions_are_known_before_anything_is_handed_over() -> None:
    producer = await a_producer_in_a_transaction()
    await producer.announce([a_lane("rpa.urgent"), a_lane("rpa.trades")])
    assert {each.topic for each in producer._txn_manager.partitions_to_add()} == {"rpa.urgent", "rpa.trades"}
    producer.cut()


async def test_a_topic_that_may_not_be_written_is_named_and_the_others_only_go_down_with_it() -> None:
    """Not sent is a consequence: the reason that is told is the topic's."""
    producer = await a_producer_in_a_transaction()
    producer._txn_manager.error_transaction(TopicAuthorizationFailedError({"rpa.closed"}))
    with pytest.raises(TopicAuthorizationFailedError) as refused:
        _ = await producer.enqueue(a_lane("rpa.closed").parcels[0])
    assert failure_of(refused.value).blocked
    with pytest.raises(OperationNotAttempted) as consequence:
        _ = await producer.enqueue(a_lane("rpa.open").parcels[0])
    assert failure_of(consequence.value).code == "not_sent"
    producer.cut()


async def test_after_any_other_error_nothing_is_taken() -> None:
    producer = await a_producer_in_a_transaction()
    producer._txn_manager.fatal_error(ProducerFenced())
    with pytest.raises(ProducerClosed):
        _ = await producer.enqueue(a_lane("rpa.urgent").parcels[0])
    producer.cut()
