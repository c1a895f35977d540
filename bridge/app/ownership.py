"""Who works on the triggers: this process alone, or all replicas of the deployment together (D2)."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from bridge.adapters.kafka.bulletin import KafkaBulletin
from bridge.adapters.kafka.control_topic import KafkaControl
from bridge.adapters.kafka.state_topic import KafkaStateStore
from bridge.app.config.settings import Ownership, Settings
from bridge.domain.plan import TriggerPlan
from bridge.engine.cycle import Neighbours
from bridge.engine.desk import Desk, Workplace
from bridge.engine.group import Member
from bridge.engine.group_desk import GroupDesk
from bridge.engine.supervisor import Supervisor
from bridge.signals import Signals


class Works(Workplace, Protocol):
    """What runs the workers of this process."""

    async def run(self, plans: Sequence[TriggerPlan], stop: asyncio.Event) -> None:
        """Until `stop`; then passes in flight end, within a bound."""
        ...

    async def apply(self, plans: Iterable[TriggerPlan]) -> None:
        """Take over a new configuration."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Owning:
    """What was opened: `desk` answers for the deployment, `works` is this process's part of the work."""

    desk: Desk
    works: Works


async def open_owning(stack: AsyncExitStack, settings: Settings, neighbours: Neighbours, signals: Signals) -> Owning:
    """As the configuration says; what it needs of Kafka is closed with the stack."""
    writer = uuid4().hex[:12]
    store = await stack.enter_async_context(
        KafkaStateStore(
            settings.kafka,
            settings.deployment,
            accept=settings.accept,
            on_abandoned=signals.producer_abandoned,
            writer=writer,
        )
    )
    if settings.ownership is Ownership.KAFKA:
        return await _shared(stack, settings, neighbours, store, writer, signals)
    supervisor = Supervisor(neighbours, store, signals, random.random, settings.stop_timeout_s, process_name(settings))
    return Owning(desk=supervisor, works=supervisor)


async def _shared(
    stack: AsyncExitStack,
    settings: Settings,
    neighbours: Neighbours,
    store: KafkaStateStore,
    writer: str,
    signals: Signals,
) -> Owning:
    # FastStream takes 4 MB: only where there is a group.
    from bridge.adapters.kafka.membership import KafkaMembership

    kafka, deployment, clock = settings.kafka, settings.deployment, neighbours.clock
    control = await stack.enter_async_context(
        KafkaControl(kafka, deployment, accept=settings.accept, on_abandoned=signals.producer_abandoned)
    )
    bulletin = await stack.enter_async_context(
        KafkaBulletin(
            kafka,
            deployment,
            store,
            clock,
            writer=writer,
            accept=settings.accept,
            on_abandoned=signals.producer_abandoned,
        )
    )

    def passed_over(partition: int, offset: int) -> None:
        signals.service_failed("command_unknown", partition=partition, offset=offset)

    member = Member(
        neighbours,
        store,
        bulletin,
        KafkaMembership(kafka, deployment, control, clock, on_unknown=passed_over),
        signals,
        random.random,
        stop_timeout_s=settings.stop_timeout_s,
        advance_s=settings.platform.advance_timeout_s,
        name=process_name(settings),
    )
    return Owning(desk=GroupDesk(member, bulletin, control, neighbours, signals), works=member)


def process_name(settings: Settings) -> str:
    """Tells replicas apart in what people see: a pod's host name, or host and process where one host runs several."""
    host = settings.kafka.group.instance_id or socket.gethostname()
    is_alone = settings.ownership is Ownership.LOCAL or settings.kafka.group.instance_id or os.getpid() == 1
    return host if is_alone else f"{host}:{os.getpid()}"
