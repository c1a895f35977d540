"""The dependency under FastStream, over a broker: fresh records only, and what fails comes again."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Annotated

import pytest
from aiokafka import AIOKafkaProducer
from faststream import AckPolicy, Depends
from faststream.kafka import KafkaBroker

from bridge.consumer import Record, Window
from bridge.consumer.faststream import once
from tests.neighbours.choice import Broker
from tests.neighbours.topics import Topics

WITHIN_S = 20.0


async def append(kafka: Broker, topic: str, *records: tuple[str, int]) -> None:
    """Records by id and generation."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        for record_id, generation in records:
            said = {
                "ce_id": record_id,
                "ce_type": "com.reinfer.trigger.result.v1",
                "ce_source": "/org1/collateral/triggers/dispute",
                "ce_generation": str(generation),
                "ce_route": "urgent",
                "ce_subject": record_id,
                "content-type": "application/json",
            }
            headers = [(name, value.encode()) for name, value in said.items()]
            await producer.send_and_wait(topic, b"{}", headers=headers)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("policy", [AckPolicy.NACK_ON_ERROR, AckPolicy.ACK_FIRST, AckPolicy.ACK])
async def test_the_handler_sees_fresh_records_only(kafka: Broker, topics: Topics, policy: AckPolicy) -> None:
    topic = await topics.create("consumed")
    await append(kafka, topic, ("a", 0), ("a", 0), ("b", 1), ("late", 0), ("a", 0), ("c", 1), ("end", 2))
    seen: list[str] = []
    broker = KafkaBroker(kafka.bootstrap_servers)

    @broker.subscriber(topic, group_id=uuid.uuid4().hex, auto_offset_reset="earliest", ack_policy=policy)
    async def work(record: Annotated[Record, Depends(once())]) -> None:
        seen.append(record.id)

    async with broker:
        await broker.start()
        await until(lambda: "end" in seen)
    assert seen == ["a", "b", "c", "end"]


async def test_what_the_handler_failed_on_comes_again_and_its_copy_does_not(kafka: Broker, topics: Topics) -> None:
    """A record is noted when the work is done: noted before, a failure would lose it."""
    topic = await topics.create("consumed")
    await append(kafka, topic, ("a", 0), ("b", 0), ("a", 0), ("b", 0), ("end", 0))
    tried: list[str] = []
    window = Window()
    broker = KafkaBroker(kafka.bootstrap_servers, logger=None)
    subscribed = broker.subscriber(
        topic, group_id=uuid.uuid4().hex, auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR
    )

    @subscribed
    async def work(record: Annotated[Record, Depends(once(window))]) -> None:
        tried.append(record.id)
        if tried.count(record.id) == 1:
            raise RuntimeError("the robot was asleep")

    async with broker:
        await broker.start()
        await until(lambda: tried.count("end") == 2)
    assert tried == ["a", "a", "b", "b", "end", "end"]
    assert len(window) == 3
