"""Publishers over the run's broker, and the fake with the same doors."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol

import pytest

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.publisher import KafkaPublisher
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.ports import Publisher
from tests.contract.publisher.words import Row, rows_of
from tests.fakes.publisher import FakePublisher
from tests.neighbours.topics import Topics

QUICK = KafkaSettings(bootstrap_servers="", request_timeout_s=1.0, publish_timeout_s=4.0)
"""Deadlines that a test can wait for."""


class World(Protocol):
    """A publisher with its broker's other doors."""

    @property
    def publisher(self) -> Publisher: ...

    async def make(self, partitions: int = 1) -> str:
        """A fresh topic."""

    async def missing(self) -> str:
        """The name of a topic that is not there."""

    async def make_named(self, topic: str) -> None:
        """The topic of that name."""

    async def rows(self, topic: str) -> list[Row]:
        """What a topic holds, by partition and offset."""


@dataclass
class FakeWorld:
    """The fake."""

    publisher: FakePublisher = field(default_factory=FakePublisher)

    async def make(self, partitions: int = 1) -> str:
        topic = f"topic-{uuid.uuid4().hex[:12]}"
        self.publisher.unblock(topic, partitions=partitions)
        return topic

    async def missing(self) -> str:
        topic = f"missing-{uuid.uuid4().hex[:12]}"
        self.publisher.block(topic)
        return topic

    async def make_named(self, topic: str) -> None:
        self.publisher.unblock(topic, partitions=1)

    async def rows(self, topic: str) -> list[Row]:
        rows = [
            Row(
                partition=record.partition,
                offset=record.offset,
                key=record.delivery.key,
                value=record.delivery.value,
                headers=record.delivery.headers,
            )
            for record in self.publisher.records(topic)
        ]
        return sorted(rows, key=lambda row: (row.partition, row.offset))


@dataclass
class KafkaWorld:
    """A broker that speaks Kafka's protocol; `abandoned` are the reasons producers were given up for."""

    publisher: KafkaPublisher
    bootstrap_servers: str
    topics: Topics
    abandoned: list[str]

    async def make(self, partitions: int = 1) -> str:
        return await self.topics.create("published", partitions)

    async def missing(self) -> str:
        return f"missing-{uuid.uuid4().hex[:12]}"

    async def make_named(self, topic: str) -> None:
        await self.topics.create_named(topic)

    async def rows(self, topic: str) -> list[Row]:
        return await rows_of(self.bootstrap_servers, topic)


MakeWorld = Callable[..., KafkaWorld]


@pytest.fixture
async def world_on() -> AsyncIterator[MakeWorld]:
    """Makes publishers, with QUICK settings unless told otherwise, and closes them after the test."""
    async with AsyncExitStack() as stack:
        made: list[KafkaWorld] = []

        def make(bootstrap_servers: str, doors: Topics | None = None, **changes: object) -> KafkaWorld:
            settings = replace(QUICK, bootstrap_servers=bootstrap_servers, **changes)  # type: ignore[arg-type]
            abandoned: list[str] = []
            publisher = KafkaPublisher(settings, SystemClock(), on_abandoned=abandoned.append)
            world = KafkaWorld(publisher, bootstrap_servers, doors or Topics(bootstrap_servers), abandoned)
            made.append(world)
            return world

        yield make
        for world in made:
            stack.push_async_callback(world.publisher.close)
