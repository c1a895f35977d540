"""Redrives put together: for the command, which opens its own neighbours, and for the running service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.publisher import KafkaPublisher
from bridge.adapters.kafka.topic_reader import KafkaTopicReader
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.recovery import PlatformRecovery
from bridge.adapters.platform.wire import decode_result
from bridge.adapters.platform.workspace import Workspace
from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.app.config.settings import Settings
from bridge.engine.redrive import RedriveNeighbours, Redriver
from bridge.ports import Clock, Ledger, Publisher


@asynccontextmanager
async def redriver_beside(
    settings: Settings, clock: Clock, publisher: Publisher, ledger: Ledger, client: PlatformClient
) -> AsyncIterator[Redriver]:
    """Over the neighbours of a service that runs."""
    async with Workspace(settings.platform, clock) as workspace:
        yield Redriver(
            RedriveNeighbours(
                log=KafkaTopicReader(settings.kafka, clock),
                publisher=publisher,
                ledger=ledger,
                recovery=PlatformRecovery(client, workspace),
                decode=decode_result,
            )
        )


@asynccontextmanager
async def redriver(settings: Settings) -> AsyncIterator[Redriver]:
    """Over neighbours of its own."""
    clock = SystemClock()
    async with AsyncExitStack() as opened:
        publisher = await opened.enter_async_context(
            KafkaPublisher(settings.kafka, clock, on_abandoned=lambda _reason: None)
        )
        ledger = await opened.enter_async_context(RedisLedger(settings.redis))
        client = await opened.enter_async_context(PlatformClient(settings.platform, clock))
        yield await opened.enter_async_context(redriver_beside(settings, clock, publisher, ledger, client))
