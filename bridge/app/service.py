"""The running service: parts are opened in one stack, run until asked to stop, and closed in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.publisher import KafkaPublisher
from bridge.adapters.kafka.replay_counter import KafkaReplayCounter
from bridge.adapters.kafka.topic_reader import KafkaTopicReader
from bridge.adapters.kafka.transactions import KafkaTransactions
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.source import PlatformSource
from bridge.adapters.platform.wire import decode_result
from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.app.admin.api import AdminParts, create_admin
from bridge.app.admin.auth import Tokens
from bridge.app.admin.server import serving
from bridge.app.config.settings import Settings
from bridge.app.ledger_use import LedgerUse
from bridge.app.ownership import open_owning
from bridge.app.promises import Promises
from bridge.app.redriving import redriver_beside
from bridge.app.reload import ConfigFile, Reloader
from bridge.app.telemetry import trace_headers
from bridge.domain.plan import TriggerPlan
from bridge.engine.cycle import Neighbours
from bridge.signals import Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What the outside does to the process: the events are set by signals, the file by an editor."""

    file: ConfigFile
    stop: asyncio.Event
    reload: asyncio.Event


async def serve(settings: Settings, process: Process, signals: Signals) -> None:
    """Until `stop`; then within `stop_timeout_s` the passes in flight end.

    Raises Fatal where a neighbour does not keep what the configuration promises, and was not accepted by name (D16).
    """
    clock = SystemClock()
    async with AsyncExitStack() as opened:
        publisher = await opened.enter_async_context(
            KafkaPublisher(settings.kafka, clock, on_abandoned=signals.producer_abandoned)
        )
        transactions = await opened.enter_async_context(
            KafkaTransactions(settings.kafka, settings.deployment, clock, on_abandoned=signals.producer_abandoned)
        )
        ledger = await opened.enter_async_context(RedisLedger(settings.redis))
        use = LedgerUse(ledger, settings.triggers)
        client = await opened.enter_async_context(
            PlatformClient(settings.platform, clock, trace_headers=trace_headers, on_answer=signals.platform_answered)
        )
        neighbours = Neighbours(
            source=PlatformSource(client), publisher=publisher, transactions=transactions, ledger=ledger, clock=clock
        )
        owning = await open_owning(opened, settings, neighbours, signals)
        redrive = await opened.enter_async_context(redriver_beside(settings, clock, publisher, ledger, client))
        leaving = asyncio.Event()
        admin = create_admin(
            AdminParts(
                desk=owning.desk,
                supervisor=owning.works,
                source=neighbours.source,
                topics=KafkaTopicReader(settings.kafka, clock),
                counter=KafkaReplayCounter(settings.kafka, clock),
                redrive=redrive,
                tokens=Tokens(read=settings.admin.read_token, operate=settings.admin.operate_token),
                pings={"kafka": publisher.ping, "redis": use.ping},
                clock=clock,
                decode=decode_result,
                leaving=leaving,
            )
        )
        port = await opened.enter_async_context(serving(admin, settings.admin.host, settings.admin.port, leaving))
        signals.service("started", triggers=len(settings.triggers), admin_host=settings.admin.host, admin_port=port)
        promises = Promises(settings, clock, signals)
        if await promises.of_kafka(process.stop):
            reloader = Reloader(process.file, process.reload, clock, signals)

            async def apply(plans: Sequence[TriggerPlan]) -> None:
                use.follow(plans)
                await owning.works.apply(plans)

            async with asyncio.TaskGroup() as beside:
                beside.create_task(promises.of_redis(use, process.stop), name="promises of redis")
                reloading = beside.create_task(reloader.run(settings, apply), name="reloader")
                await owning.works.run(settings.triggers, process.stop)
                reloading.cancel()
        signals.service("stopped")
