"""Topic readers over the run's broker, and the fake with the same doors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import pytest

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.publisher import KafkaPublisher
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.topic_reader import KafkaTopicReader
from bridge.domain.delivery import Delivery
from bridge.ports import DeadLetterLog, TopicReader
from tests.contract.publisher.words import all_acked
from tests.fakes.clock import FakeClock
from tests.fakes.topic_reader import FakeTopicReader
from tests.neighbours.topics import Topics

QUICK = KafkaSettings(bootstrap_servers="", request_timeout_s=2.0, publish_timeout_s=10.0)


class Reader(TopicReader, DeadLetterLog, Protocol):
    """Both ports, as one adapter serves them."""


class World(Protocol):
    """A reader with a way to put records where it reads."""

    @property
    def reader(self) -> Reader: ...

    async def make(self, partitions: int = 1) -> str:
        """A fresh topic."""

    async def land(self, deliveries: Sequence[Delivery], at: datetime) -> None:
        """Publish them, written at that time."""


@dataclass
class FakeWorld:
    """The fake."""

    reader: FakeTopicReader = field(default_factory=FakeTopicReader)
    made: int = 0

    async def make(self, partitions: int = 1) -> str:
        self.made += 1
        return f"topic-{self.made}"

    async def land(self, deliveries: Sequence[Delivery], at: datetime) -> None:
        self.reader.now_ms = round(at.timestamp() * 1000)
        self.reader.land(deliveries)


@dataclass
class KafkaWorld:
    """A broker that speaks Kafka's protocol."""

    settings: KafkaSettings
    topics: Topics
    reader: KafkaTopicReader

    async def make(self, partitions: int = 1) -> str:
        return await self.topics.create("read-back", partitions)

    async def land(self, deliveries: Sequence[Delivery], at: datetime) -> None:
        clock = FakeClock(at)
        async with KafkaPublisher(self.settings, clock, on_abandoned=lambda _: None) as publisher:
            assert all_acked(await publisher.publish(deliveries))


@pytest.fixture(params=["fake", pytest.param("kafka", marks=pytest.mark.kafka_apache)])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "fake":
        return FakeWorld()
    broker = request.getfixturevalue("kafka")
    settings = replace(QUICK, bootstrap_servers=broker.bootstrap_servers)
    reader = KafkaTopicReader(settings, SystemClock())
    return KafkaWorld(settings, request.getfixturevalue("topics"), reader)
