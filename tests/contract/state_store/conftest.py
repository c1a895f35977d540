"""State stores over the run's broker, each under a deployment of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from bridge.adapters.kafka.settings import KafkaSettings, TopicCreation
from bridge.adapters.kafka.state_topic import KafkaStateStore

QUICK = KafkaSettings(
    bootstrap_servers="",
    request_timeout_s=1.0,
    publish_timeout_s=8.0,
    topics=TopicCreation(replication_factor=1),
)

MakeStore = Callable[..., KafkaStateStore]


@pytest.fixture
def deployment() -> str:
    """A name nobody else uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def store_on() -> AsyncIterator[MakeStore]:
    """Makes stores and closes them after the test."""
    async with AsyncExitStack() as stack:
        made: list[KafkaStateStore] = []

        def make(
            bootstrap_servers: str, deployment: str, *, accept: frozenset[str] = frozenset(), **changes: object
        ) -> KafkaStateStore:
            settings = replace(QUICK, bootstrap_servers=bootstrap_servers, **changes)  # type: ignore[arg-type]
            made.append(KafkaStateStore(settings, deployment, accept=accept))
            return made[-1]

        yield make
        for store in made:
            await stack.enter_async_context(store)
