"""Whether the neighbours keep what the configuration promises (D16): asked at start, and by `bridge check --online`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeVar

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.group_promises import group_findings
from bridge.adapters.kafka.promises import findings as kafka_findings
from bridge.adapters.kafka.state_topic import state_topic
from bridge.adapters.kafka.topic_promises import Needs
from bridge.adapters.kafka.transactions import transactional_id
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.app.config.settings import Ownership, Settings
from bridge.app.ledger_use import LedgerUse
from bridge.domain.backoff import backoff_s
from bridge.domain.errors import BridgeError, Fatal
from bridge.domain.plan import DeliveryMode
from bridge.ports import Clock
from bridge.signals import Signals

HEALS_BY_ITSELF = frozenset(
    {"topic_missing", "topic_not_authorized", "transactional_id_not_authorized", "ledger_denied"}
)
"""A running bridge shows these as a blocked trigger, which goes on once somebody has made or allowed what it needs."""

LOOK_EVERY_S = 5.0

Answer = TypeVar("Answer")


class Finding(Protocol):
    """A promise that is not kept. `accepted_by` is the word of `accept:` that lets it pass, empty where none does."""

    @property
    def code(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def accepted_by(self) -> str: ...


def broken(findings: Sequence[Finding], accept: Collection[str]) -> list[Finding]:
    """Those that nobody has accepted by name."""
    return [finding for finding in findings if finding.accepted_by not in accept]


class Promises:
    """Asks until it is answered, then refuses what is weaker than promised."""

    def __init__(self, settings: Settings, clock: Clock, signals: Signals) -> None:
        self._settings = settings
        self._clock = clock
        self._signals = signals

    async def of_kafka(self, stop: asyncio.Event) -> bool:
        """False when it was stopped before a broker answered. Raises Fatal."""
        found = await self._asked(lambda: of_kafka(self._settings), stop)
        self._refuse(found or [])
        return found is not None

    async def of_redis(self, use: LedgerUse, stop: asyncio.Event) -> None:
        """Beside the workers, which hold by themselves while the ledger is out (D5). Raises Fatal."""
        while not use.is_needed and not stop.is_set():
            await self._clock.wait(stop, LOOK_EVERY_S)
        found = await self._asked(use.ledger.findings, stop)
        self._refuse(found or [])

    async def _asked(self, ask: Callable[[], Awaitable[Answer]], stop: asyncio.Event) -> Answer | None:
        failures = 0
        while not stop.is_set():
            try:
                return await ask()
            except Fatal:
                raise
            except BridgeError as error:
                failures += 1
                wait_s = backoff_s(error, failures, random.random())
                self._signals.service_failed("not_checked_yet", code=error.code, error=str(error), retry_in_s=wait_s)
                await self._clock.wait(stop, wait_s)
        return None

    def _refuse(self, found: Sequence[Finding]) -> None:
        found = [finding for finding in found if finding.code not in HEALS_BY_ITSELF]
        refused = broken(found, self._settings.accept)
        for finding in found:
            if finding not in refused:
                self._signals.service("weaker_guarantee_accepted", code=finding.code, sentence=finding.sentence)
        if refused:
            raise Fatal("\n".join(map(advice, refused)), code=refused[0].code)


def advice(finding: Finding) -> str:
    """The sentence, with the word that would accept it."""
    accepted = f" (or accept it by name: accept: [{finding.accepted_by}])" if finding.accepted_by else ""
    return f"{finding.sentence}{accepted}"


async def of_kafka(settings: Settings) -> Sequence[Finding]:
    """What the cluster does not keep. Raises Retry, Blocked or Fatal where it cannot be asked."""
    triggers = settings.triggers
    shared = settings.ownership is Ownership.KAFKA
    of_group = await group_findings(settings.kafka, settings.deployment) if shared else []
    of_topics = await kafka_findings(
        settings.kafka,
        frozenset().union(*(plan.topics for plan in triggers)),
        Needs(
            record_bytes_max=max((plan.record_bytes_max for plan in triggers), default=0),
            key_ttl_s=settings.redis.key_ttl_s,
        ),
        state_topic=state_topic(settings.deployment),
        transactional_ids=[
            transactional_id(settings.deployment, plan.name)
            for plan in triggers
            if plan.delivery is DeliveryMode.EXACTLY_ONCE
        ],
    )
    return [*of_topics, *of_group]


async def check_online(settings: Settings) -> tuple[list[str], list[str]]:
    """Ask the platform, Kafka and Redis, changing nothing: (what is wrong, who could not be asked), as sentences."""
    wrong: list[str] = []
    silent: list[str] = []

    async def ask(who: str, asking: Awaitable[Sequence[Finding]]) -> None:
        try:
            wrong.extend(map(advice, broken(await asking, settings.accept)))
        except BridgeError as error:
            silent.append(f"{who}: {error}")

    async with RedisLedger(settings.redis) as ledger, PlatformClient(settings.platform, SystemClock()) as client:
        await ask("kafka", of_kafka(settings))
        if LedgerUse(ledger, settings.triggers).is_needed:
            await ask("redis", ledger.findings())
        for plan in settings.triggers:
            try:
                await client.get(plan.ref)
            except BridgeError as error:
                at_platform = f"trigger {plan.name} ({plan.ref.identity}): {error}"
                (wrong if error.code == "trigger_missing" else silent).append(at_platform)
    return wrong, silent
