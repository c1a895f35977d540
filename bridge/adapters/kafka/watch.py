"""What comes onto some topics from now on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiokafka import TopicPartition

from bridge.adapters.kafka.admin import describe_topics, end_offset
from bridge.adapters.kafka.client import Client, connected
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.reader import POLL_MS, Reader
from bridge.adapters.kafka.settings import KafkaSettings

DOING = "the topics cannot be read"
POLLS_A_LOOK = 10
"""How often is looked for topics that were not there: they are made with their first record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One record; of a header that is there twice, the last."""

    topic: str
    partition: int
    offset: int
    headers: Mapping[str, bytes]


class Watch:
    """Made by `watching`. `topics` are those that are there."""

    def __init__(self, settings: KafkaSettings, topics: Collection[str], timeout_s: float) -> None:
        self.topics: set[str] = set()
        self._settings = settings
        self._missing = set(topics)
        self._timeout_s = timeout_s
        self._readers: list[Reader] = []
        self._polls = 0

    async def poll(self) -> list[Arrival]:
        """What is committed since the last time, after a short wait at most. Raises Retry or Blocked."""
        self._polls += 1
        if self._missing and self._polls % POLLS_A_LOOK == 0:
            await self.look(from_end=False)
        with _said():
            fetched = [await reader.getmany(timeout_ms=POLL_MS) for reader in self._readers]
        return [
            Arrival(topic=each.topic, partition=each.partition, offset=each.offset, headers=dict(each.headers))
            for answer in fetched
            for records in answer.values()
            for each in records
        ]

    async def look(self, *, from_end: bool) -> None:
        """Begin to read topics that are there now. Raises Retry or Blocked."""
        async with connected(self._settings, self._timeout_s, DOING) as client:
            ends = await _ends(client, self._missing)
        if not ends:
            return
        reader = Reader(self._settings, "read_committed")
        self._readers.append(reader)
        found = {place.topic for place in ends}
        with _said():
            async with asyncio.timeout(self._timeout_s):
                await reader.start()
                for topic in found:
                    await reader.know(topic)
            # without an await between the two, so that the reset to the beginning is not begun
            reader.assign(list(ends))
            for place, end in ends.items() if from_end else ():
                reader.seek(place, end)
        self.topics |= found
        self._missing -= found

    async def end(self) -> None:
        """Read no more."""
        for reader in self._readers:
            await reader.end()


@asynccontextmanager
async def watching(settings: KafkaSettings, topics: Collection[str], timeout_s: float) -> AsyncIterator[Watch]:
    """Stands at the end of the topics; of one that is made later, at its beginning. Raises Retry or Blocked."""
    watch = Watch(settings, topics, timeout_s)
    try:
        await watch.look(from_end=True)
        yield watch
    finally:
        await watch.end()


@contextmanager
def _said() -> Iterator[None]:
    """What aiokafka raises, in our words."""
    try:
        yield
    except FOREIGN as error:
        raise translated(error, DOING) from error


async def _ends(client: Client, topics: Collection[str]) -> dict[TopicPartition, int]:
    """The end of each partition of those that are there."""
    described = await describe_topics(client, topics)
    there = {name: topic.partitions for name, topic in described.items() if not topic.error_code}
    await client.track(set(there))
    places = [TopicPartition(name, number) for name, count in there.items() for number in range(count)]
    return {place: await end_offset(client, place.topic, place.partition) for place in places}
