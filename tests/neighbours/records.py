"""Topics read back from their beginning, as a consumer that trusts nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord

READ_TIMEOUT_S = 60.0
POLL_S = 0.01


class MissingTopicError(ValueError):
    """A consumer that is given a topic that is not there would wait for it, long."""


async def read_records(bootstrap_servers: str, topics: Sequence[str]) -> list[ConsumerRecord[bytes, bytes]]:
    """Every record up to the ends of now, read_committed, in the order of topic, partition and offset."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            await consumer.start()
            await _assign(consumer, frozenset(topics))
            return await _read(consumer)
    finally:
        await consumer.stop()


async def _assign(consumer: AIOKafkaConsumer, topics: frozenset[str]) -> None:
    """Without a group every partition of the topics comes with the next metadata."""
    if missing := topics - await consumer.topics():
        raise MissingTopicError(f"not there: {', '.join(sorted(missing))}")
    consumer.subscribe(sorted(topics))
    while {place.topic for place in consumer.assignment()} != topics:
        await asyncio.sleep(POLL_S)


async def _read(consumer: AIOKafkaConsumer) -> list[ConsumerRecord[bytes, bytes]]:
    ends = await consumer.end_offsets(list(consumer.assignment()))
    found = []
    while [place for place, end in ends.items() if await consumer.position(place) < end]:
        for place, records in (await consumer.getmany(timeout_ms=500)).items():
            found += [record for record in records if record.offset < ends[place]]
    return sorted(found, key=lambda record: (record.topic, record.partition, record.offset))
