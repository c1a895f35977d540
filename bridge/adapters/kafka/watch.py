"""What comes onto some topics from now on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import TopicPartition

from bridge.adapters.kafka.admin import describe_topics, end_offset
from bridge.adapters.kafka.client import Client, connected
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.reader import POLL_MS, Reader
from bridge.adapters.kafka.settings import KafkaSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One record; of a header that is there twice, the last."""

    topic: str
    partition: int
    offset: int
    headers: Mapping[str, bytes]


class Watch:
    """Made by `watching`."""

    def __init__(self, reader: Reader, topics: Collection[str]) -> None:
        self._reader = reader
        self.topics = tuple(topics)

    async def poll(self) -> list[Arrival]:
        """What is committed since the last time, after a short wait at most. Raises Retry or Blocked."""
        try:
            fetched = await self._reader.getmany(timeout_ms=POLL_MS)
        except FOREIGN as error:
            raise translated(error, "the topics cannot be read") from error
        return [
            Arrival(topic=each.topic, partition=each.partition, offset=each.offset, headers=dict(each.headers))
            for records in fetched.values()
            for each in records
        ]


@asynccontextmanager
async def watching(settings: KafkaSettings, topics: Collection[str], timeout_s: float) -> AsyncIterator[Watch]:
    """Stands at the end of those of the topics that are there. Raises Retry or Blocked."""
    doing = "the topics cannot be read"
    async with connected(settings, timeout_s, doing) as client:
        ends = await _ends(client, topics)
    reader = Reader(settings, "read_committed")
    try:
        async with asyncio.timeout(timeout_s):
            await reader.start()
            for topic in {place.topic for place in ends}:
                await reader.know(topic)
        # without an await between the two, so that the reset to the beginning is not begun
        reader.assign(list(ends))
        for place, end in ends.items():
            reader.seek(place, end)
        yield Watch(reader, sorted({place.topic for place in ends}))
    except FOREIGN as error:
        raise translated(error, doing) from error
    finally:
        await reader.end()


async def _ends(client: Client, topics: Collection[str]) -> dict[TopicPartition, int]:
    """The end of each partition of those that are there."""
    described = await describe_topics(client, topics)
    there = {name: topic.partitions for name, topic in described.items() if not topic.error_code}
    await client.track(set(there))
    places = [TopicPartition(name, number) for name, count in there.items() for number in range(count)]
    return {place: await end_offset(client, place.topic, place.partition) for place in places}
