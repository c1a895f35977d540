"""A partition read from its beginning to an end that is known."""
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.adapters.kafka.client import CLOSE_TIMEOUT_S, Client
from bridge.adapters.kafka.connection import client_options
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_format import StateRecord

POLL_MS = 100


class Reader(AIOKafkaConsumer):
    """aiokafka's consumer over our client, which ends within a bound."""

    def __init__(self, settings: KafkaSettings, isolation_level: str) -> None:
        super().__init__(
            **client_options(settings),
            group_id=None,
            enable_auto_commit=False,
            # A seek after the assignment races with the reset the consumer begins by itself, to the beginning as well.
            auto_offset_reset="earliest",
            isolation_level=isolation_level,
            fetch_max_wait_ms=POLL_MS,
        )
        Client.narrow(self._client)

    async def end(self) -> None:
        """Cut first: a consumer that is asked to stop waits for brokers that may not answer."""
        self._client.cut()
        stopping = asyncio.ensure_future(self.stop())
        done, late = await asyncio.wait({stopping}, timeout=CLOSE_TIMEOUT_S)
        for task in late:
            task.cancel()
        # How a reader that is thrown away ends changes nothing; looking at it keeps asyncio from complaining.
        _ = [task.exception() for task in done if not task.cancelled()]

    @property
    def client(self) -> Client:
        """For questions over the same connections."""
        return Client.narrow(self._client)

    async def know(self, *topics: str) -> None:
        """Look topics up before they are assigned; asking makes none."""
        await self._client.track(set(topics))


@asynccontextmanager
async def reader_of(settings: KafkaSettings, isolation_level: str) -> AsyncIterator[Reader]:
    """A reader that is ended with the block."""
    reader = Reader(settings, isolation_level)
    try:
        await reader.start()
        yield reader
    finally:
        await reader.end()


async def read_all(settings: KafkaSettings, topic: str, partition: int) -> list[StateRecord]:
    """Every record with a key, in order, those of open and aborted transactions included.

    For records that are never written in transactions: somebody's open one cannot hide them. The caller bounds it.
    Raises what aiokafka raises.
    """
    async with reader_of(settings, "read_uncommitted") as reader:
        place = await _assigned(reader, topic, partition)
        end = (await reader.end_offsets([place]))[place]
        return await _read(reader, place, end)


async def read_committed(settings: KafkaSettings, topic: str, partition: int, end: int) -> list[StateRecord]:
    """What is committed of everything below `end`, in order.

    Waits until no transaction below it is open any more: a shared topic shows a committed record only when all that
    began before it have ended. The caller bounds it. Raises what aiokafka raises.
    """
    async with reader_of(settings, "read_committed") as reader:
        return await _read(reader, await _assigned(reader, topic, partition), end)


async def _assigned(reader: Reader, topic: str, partition: int) -> TopicPartition:
    place = TopicPartition(topic, partition)
    await reader.know(topic)
    reader.assign([place])
    return place


async def _read(reader: Reader, place: TopicPartition, end: int) -> list[StateRecord]:
    records: list[StateRecord] = []
    while await reader.position(place) < end:
        for batch in (await reader.getmany(place, timeout_ms=POLL_MS)).values():
            records += [record_of(each) for each in batch if each.key]
    return records


def record_of(message: Any) -> StateRecord:
    """aiokafka's record as ours."""
    return StateRecord(key=message.key, value=message.value, offset=message.offset, at_ms=message.timestamp)
