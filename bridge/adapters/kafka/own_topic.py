"""The topics that the bridge keeps for itself: found as they must be, or made (D16)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from aiokafka.errors import InvalidReplicationFactorError

from bridge.adapters.kafka.admin import NewTopic, Topic, create_topic, describe_topics, in_sync_min, topic_configs
from bridge.adapters.kafka.client import Client, connected
from bridge.adapters.kafka.failures import failed
from bridge.adapters.kafka.settings import KafkaSettings, TopicCreation
from bridge.domain.errors import Blocked, Retry

APPEAR_POLLS_MAX = 1_000
UNKNOWN_TOPIC_CODE = 3
CLEANUP = "cleanup.policy"
SINGLE_REPLICA = "single_replica"
UNCHECKED_TOPICS = "unchecked_topics"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTopic:
    """`title` names it in sentences, its codes begin with the same words. `why` is what another policy would do."""

    name: str
    title: str
    partitions: int
    why_partitions: str
    configs: Mapping[str, str]
    why_policy: str

    @property
    def policy(self) -> str:
        """How the broker is to clean it."""
        return self.configs[CLEANUP]

    @property
    def code(self) -> str:
        """What its errors begin with."""
        return self.title.replace(" ", "_")


class OwnTopicCheck:
    """Looks an own topic up before its first use, and again once there is a doubt: as it must be, or made (D16).

    `on_found` is part of it: where that fails the topic is looked up again.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        own: OwnTopic,
        accept: Collection[str],
        on_found: Callable[[Client], Awaitable[None]] | None = None,
    ) -> None:
        self._settings = settings
        self._own = own
        self._accept = accept
        self._on_found = on_found
        self._doubts = 1
        self._doubts_settled = 0
        self._checking = asyncio.Lock()

    def doubt(self) -> None:
        """It may have changed since it was looked at."""
        self._doubts += 1

    async def check(self, *, anew: bool = False) -> None:
        """One at a time; `anew` whether there is a doubt or not. Raises as `find_or_make`, all of it translated."""
        async with self._checking:
            if self._doubts == self._doubts_settled and not anew:
                return
            # A doubt that comes meanwhile is for the next time.
            doubts = self._doubts
            doing = f"the {self._own.title} {self._own.name}"
            async with connected(self._settings, self._settings.publish_timeout_s, doing) as client:
                await find_or_make(client, self._own, self._settings.topics, self._accept)
                if self._on_found is not None:
                    await self._on_found(client)
            self._doubts_settled = doubts


async def find_or_make(client: Client, own: OwnTopic, creation: TopicCreation, accept: Collection[str]) -> None:
    """Raises Blocked for one that is not what it must be, Retry, and what aiokafka does.

    `accept` names the promises that need not hold: `single_replica` lets it be made with one copy where the cluster
    cannot hold more.
    """
    topic = await _described(client, own.name)
    if topic.error_code == UNKNOWN_TOPIC_CODE:
        await _create(client, own, creation.replication_factor, accept)
        await _appeared(client, own)
        return
    if topic.error_code:
        raise failed(topic.error_code, f"the {own.title} {own.name} cannot be looked up")
    await _verify(client, own, topic.partitions, accept)


async def _described(client: Client, name: str) -> Topic:
    return (await describe_topics(client, [name]))[name]


async def _appeared(client: Client, own: OwnTopic) -> None:
    """A topic just made is known to every broker within some round trips, on a busy machine within many."""
    for _ in range(APPEAR_POLLS_MAX):
        if (await _described(client, own.name)).is_led:
            return
    raise Retry(f"the {own.title} {own.name} is being made", code="topic_unavailable")


async def _create(client: Client, own: OwnTopic, wanted: int, accept: Collection[str]) -> None:
    try:
        await create_topic(client, _new(own, wanted))
    except InvalidReplicationFactorError as error:
        if SINGLE_REPLICA not in accept:
            raise Blocked(
                f"the {own.title} {own.name} needs {wanted} brokers and the cluster has fewer: add brokers,"
                f" lower kafka.topics.replication_factor, or accept one copy with `accept: [{SINGLE_REPLICA}]`",
                code="too_few_brokers",
            ) from error
        await create_topic(client, _new(own, 1))


def _new(own: OwnTopic, replication_factor: int) -> NewTopic:
    configs = {**own.configs, "min.insync.replicas": in_sync_min(replication_factor)}
    return NewTopic(name=own.name, partitions=own.partitions, replication_factor=replication_factor, configs=configs)


async def _verify(client: Client, own: OwnTopic, partitions: int, accept: Collection[str]) -> None:
    if partitions != own.partitions:
        sentence = f"the {own.title} {own.name} has {partitions} partitions, and {own.why_partitions}"
        raise Blocked(sentence, code=f"{own.code}_partitions")
    policy = (await topic_configs(client, [own.name], [CLEANUP])).get(own.name, {}).get(CLEANUP)
    if policy is None and UNCHECKED_TOPICS not in accept:
        raise Blocked(
            f"the cleanup policy of the {own.title} {own.name} may not be read: allow DescribeConfigs, or go on"
            f" unchecked with `accept: [{UNCHECKED_TOPICS}]`",
            code=f"{own.code}_unchecked",
        )
    if policy is not None and policy != own.policy:
        raise Blocked(
            f"the {own.title} {own.name} has cleanup.policy={policy}, {own.why_policy}: set"
            f" cleanup.policy={own.policy}",
            code=f"{own.code}_not_{'compacted' if own.policy == 'compact' else 'kept_by_time'}",
        )
