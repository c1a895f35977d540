"""Which topics there are, how many partitions they have and how large a batch they take."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from bridge.adapters.kafka.admin import NewTopic, create_topic, in_sync_min, topic_configs
from bridge.adapters.kafka.client import Client
from bridge.adapters.kafka.failures import failure_of, translated
from bridge.adapters.kafka.line import BATCH_BYTES_MAX
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.errors import Blocked, Retry
from bridge.ports import Clock

LIMIT = "max.message.bytes"
LIMIT_AGE_MAX_S = 60.0
"""How late a raised limit may be noticed; a lowered one is noticed at once, by the refusal."""
BATCH_BYTES_MIN = 1_024
APPEAR_POLL_S = 0.05
APPEAR_POLLS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What packing needs to know of a topic."""

    partitions: int
    batch_bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    bytes_max: int
    read_at_s: float


class Directory:
    """Found topics are remembered by the client, which refreshes them; missing ones are asked for each time."""

    def __init__(self, settings: KafkaSettings, clock: Clock) -> None:
        self._creation = settings.topics
        self._clock = clock
        self._limits: dict[str, _Limit] = {}
        self._lock = asyncio.Lock()

    async def shapes(self, client: Client, topics: Collection[str]) -> dict[str, Shape]:
        """Raises Blocked, naming it, for a topic that is missing or not allowed; Retry when no broker answers."""
        if (known := self.known(client, topics)) is not None:
            return known
        if any(client.cluster.partitions_for_topic(topic) is None for topic in topics):
            async with self._lock:
                await self._find(client, topics)
        await self._read_limits(client, topics)
        return {topic: self._shape(client, topic) for topic in topics}

    def known(self, client: Client, topics: Collection[str]) -> dict[str, Shape] | None:
        """The same without asking anybody; None where somebody has to be asked."""
        if not all(client.cluster.partitions_for_topic(topic) and not self._is_stale(topic) for topic in topics):
            return None
        return {topic: self._shape(client, topic) for topic in topics}

    def refused(self, topic: str, batch_bytes: int) -> None:
        """The broker found a batch too large: send half as much next time, and ask what the limit is."""
        bytes_max = max(batch_bytes // 2, BATCH_BYTES_MIN)
        self._limits[topic] = _Limit(bytes_max=bytes_max, read_at_s=float("-inf"))

    def _shape(self, client: Client, topic: str) -> Shape:
        partitions = client.cluster.partitions_for_topic(topic)
        if not partitions:
            raise Blocked(f"the topic {topic} went away while it was looked up", code="topic_missing")
        return Shape(partitions=len(partitions), batch_bytes_max=self._limits[topic].bytes_max)

    async def _find(self, client: Client, topics: Collection[str]) -> None:
        missing = await self._missing(client, topics)
        if missing and self._creation.create:
            for topic in missing:
                await self._create(client, topic)
            missing = await self._appeared(client, missing)
        if missing:
            raise Blocked(f"the topic {missing[0]} does not exist{_more(missing)}", code="topic_missing")

    async def _missing(self, client: Client, topics: Collection[str]) -> list[str]:
        """Ask for what is not known; what is not there is not asked for again until somebody wants it."""
        if not await client.track(client.tracked | set(topics)):
            raise Retry("no broker says which topics there are", code="broker_unavailable")
        missing = [topic for topic in sorted(topics) if client.cluster.partitions_for_topic(topic) is None]
        forbidden = [topic for topic in missing if topic in client.cluster.unauthorized_topics]
        client.untrack(missing)
        if forbidden:
            error = TopicAuthorizationFailedError(forbidden[0])
            raise translated(error, f"the topic {forbidden[0]} may not be seen{_more(forbidden)}") from error
        return missing

    async def _create(self, client: Client, topic: str) -> None:
        new = NewTopic(
            name=topic,
            partitions=self._creation.partitions,
            replication_factor=self._creation.replication_factor,
            configs={"min.insync.replicas": in_sync_min(self._creation.replication_factor)},
        )
        try:
            await create_topic(client, new)
        except KafkaError as error:
            code = failure_of(error).code
            raise Blocked(f"the topic {topic} is missing and cannot be made: {error}", code=code) from error

    async def _appeared(self, client: Client, made: list[str]) -> list[str]:
        """What of the topics just made no broker shows yet; it takes a moment until they all know."""
        missing = made
        for _ in range(APPEAR_POLLS_MAX):
            missing = await self._missing(client, missing)
            if not missing:
                break
            await self._clock.sleep(APPEAR_POLL_S)
        return missing

    async def _read_limits(self, client: Client, topics: Collection[str]) -> None:
        stale = [topic for topic in topics if self._is_stale(topic)]
        if not stale:
            return
        said = await topic_configs(client, stale, [LIMIT])
        now_s = self._clock.monotonic_s()
        for topic in stale:
            learned = self._limits.get(topic)
            limit = (said.get(topic) or {}).get(LIMIT)
            known = BATCH_BYTES_MAX if learned is None else learned.bytes_max
            bytes_max = known if limit is None else min(int(limit), BATCH_BYTES_MAX)
            self._limits[topic] = _Limit(bytes_max=bytes_max, read_at_s=now_s)

    def _is_stale(self, topic: str) -> bool:
        limit = self._limits.get(topic)
        if limit is None:
            return True
        return limit.bytes_max < BATCH_BYTES_MAX and self._clock.monotonic_s() - limit.read_at_s > LIMIT_AGE_MAX_S


def _more(topics: list[str]) -> str:
    return f", and {len(topics) - 1} more" if len(topics) > 1 else ""
