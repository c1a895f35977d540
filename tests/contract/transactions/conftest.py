"""Transactional publishers over the run's broker, and the fake with the same doors."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pytest
from aiokafka.errors import KafkaTimeoutError
from confluent_kafka import Consumer, TopicPartition

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.settings import KafkaSettings, TopicCreation
from bridge.adapters.kafka.state_topic import KafkaStateStore
from bridge.adapters.kafka.transaction import TransactionalProducer
from bridge.adapters.kafka.transactions import KafkaTransactions
from bridge.domain.errors import Retry
from bridge.ports import TransactionalPublisher
from tests.fakes.transactions import Doubt, FakeTransactions, TransactionalLog
from tests.neighbours.topics import Topics

QUICK = KafkaSettings(
    bootstrap_servers="",
    request_timeout_s=2.0,
    publish_timeout_s=10.0,
    topics=TopicCreation(replication_factor=1),
)
READ_TIMEOUT_S = 20.0
LOADS_MAX = 20


class World(Protocol):
    """Publishers of one deployment with their broker's other doors."""

    async def process(self) -> TransactionalPublisher:
        """A publisher as another process has one."""

    async def make(self, partitions: int = 1) -> str:
        """A fresh topic."""

    async def missing(self) -> str:
        """The name of a topic that is not there."""

    async def committed(self, topic: str) -> list[int]:
        """The numbers of the deliveries a read_committed consumer gets, by partition and offset."""

    def doubt_next(self, doubt: Doubt, of: TransactionalPublisher) -> None:
        """Nobody learns what became of the next commit."""


@dataclass
class FakeWorld:
    """The fake."""

    log: TransactionalLog = field(default_factory=TransactionalLog)

    async def process(self) -> TransactionalPublisher:
        return FakeTransactions(self.log)

    async def make(self, partitions: int = 1) -> str:
        topic = f"topic-{uuid.uuid4().hex[:12]}"
        self.log.partitions[topic] = partitions
        return topic

    async def missing(self) -> str:
        topic = f"missing-{uuid.uuid4().hex[:12]}"
        self.log.blocked[topic] = "topic_missing"
        return topic

    async def committed(self, topic: str) -> list[int]:
        records = sorted(self.log.committed(topic), key=lambda record: (record.partition, record.offset))
        return [int(dict(each.delivery.headers)["ce_id"], 16) for each in records if each.delivery]

    def doubt_next(self, doubt: Doubt, of: TransactionalPublisher) -> None:
        assert isinstance(of, FakeTransactions)
        of.doubt_next(doubt)


@dataclass
class KafkaWorld:
    """A real broker; `abandoned` are the reasons producers were given up for."""

    bootstrap_servers: str
    topics: Topics
    stack: AsyncExitStack
    patch: pytest.MonkeyPatch
    changes: dict[str, object] = field(default_factory=dict)
    deployment: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:12]}")
    abandoned: list[str] = field(default_factory=list)

    @property
    def settings(self) -> KafkaSettings:
        return replace(QUICK, bootstrap_servers=self.bootstrap_servers, **self.changes)  # type: ignore[arg-type]

    @property
    def store(self) -> KafkaStateStore:
        return KafkaStateStore(self.settings, self.deployment, accept=frozenset({"single_replica"}))

    async def process(self) -> KafkaTransactions:
        await self._have_state_topic()
        made = KafkaTransactions(self.settings, self.deployment, SystemClock(), on_abandoned=self.abandoned.append)
        return await self.stack.enter_async_context(made)

    async def _have_state_topic(self) -> None:
        """As a starting service does, which tries again while a busy broker is still making it."""
        async with self.store as store:
            for left in reversed(range(LOADS_MAX)):
                try:
                    await store.load()
                except Retry:
                    if not left:
                        raise
                    await asyncio.sleep(0.1)
                else:
                    return

    async def make(self, partitions: int = 1) -> str:
        return await self.topics.create("transactional", partitions)

    async def missing(self) -> str:
        return f"missing-{uuid.uuid4().hex[:12]}"

    async def committed(self, topic: str) -> list[int]:
        return await asyncio.to_thread(read_committed, self.bootstrap_servers, topic)

    def doubt_next(self, doubt: Doubt, of: TransactionalPublisher) -> None:
        """The broker's answer to the commit is lost: on the way there, or on the way back."""
        commit, struck = TransactionalProducer.commit, [doubt]

        async def doubtful(producer: TransactionalProducer) -> None:
            fault = struck.pop() if struck else None
            if fault is not Doubt.BEFORE_COMMIT:
                await commit(producer)
            if fault is not None:
                raise KafkaTimeoutError("the answer is lost")

        self.patch.setattr(TransactionalProducer, "commit", doubtful)


def read_committed(bootstrap_servers: str, topic: str) -> list[int]:
    """As librdkafka sees it, up to the last stable offset of now."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "reader-of-tests",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
        }
    )
    try:
        places = sorted(consumer.list_topics(topic, timeout=READ_TIMEOUT_S).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, place, 0) for place in places])
        found: list[tuple[int, int, int]] = []
        ended: set[int] = set()
        while len(ended) < len(places):
            message = consumer.poll(READ_TIMEOUT_S)
            assert message is not None, "no end was reached"
            headers: dict[str, Any] = dict(message.headers() or [])
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            if message.error():
                ended.add(partition)
            else:
                found.append((partition, offset, int(headers["ce_id"], 16)))
    finally:
        consumer.close()
    return [number for _, _, number in sorted(found)]


MakeWorld = Callable[..., KafkaWorld]


@pytest.fixture
async def world_on(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeWorld]:
    """Makes worlds with QUICK settings unless told otherwise; their publishers are closed after the test."""
    async with AsyncExitStack() as stack:

        def make(bootstrap_servers: str, topics: Topics | None = None, **changes: object) -> KafkaWorld:
            doors = topics or Topics(bootstrap_servers)
            return KafkaWorld(bootstrap_servers, doors, stack, monkeypatch, changes)

        yield make
