"""Topics read back as they are now: one partition after the other, on a connection of its own, in bounded memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aiokafka import errors as foreign
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from bridge.adapters.kafka.client import Client
from bridge.adapters.kafka.connection import client_options
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.fetched import Fetched, LogBatch, committed_batches
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.errors import Blocked, Retry
from bridge.domain.topic_record import Place, TopicRecord, topic_record
from bridge.ports import Clock

READ_COMMITTED = 1
READ_UNCOMMITTED = 0
LATEST, EARLIEST = -1, -2
FETCH_BYTES_MAX = 2 * 1024 * 1024
FETCH_WAIT_MS = 250
OPEN_TRANSACTION_WAIT_S = 60.0
"""Longer than the brokers let one of ours stay open."""
FAILURES_MAX = 20
FAILURE_WAIT_S = 0.25
TOPIC_MISSING = "topic_missing"
AGAIN = (
    foreign.NotLeaderForPartitionError,
    foreign.LeaderNotAvailableError,
    foreign.KafkaConnectionError,
    foreign.NodeNotReadyError,
    foreign.RequestTimedOutError,
    foreign.UnknownTopicOrPartitionError,
    foreign.StaleMetadata,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Offsets `start` to before `end` of one partition; `log_start` is the first one that the topic still keeps."""

    topic: str
    partition: int
    start: int
    end: int
    log_start: int = 0

    @property
    def length(self) -> int:
        """Offsets in it: records, transaction markers and gaps of compaction."""
        return self.end - self.start


class Scanner:
    """Made by `scanning`. What it raises is aiokafka's, translated there."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self.open_transaction_wait_s = OPEN_TRANSACTION_WAIT_S
        self.hidden: dict[tuple[str, int], int] = {}
        """Offsets that could not be read behind somebody's open transaction, by partition."""
        self.foreign = 0
        """Records on the topics that no bridge wrote."""

    async def stretches(
        self,
        topics: Collection[str],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        only: Mapping[str, int] | None = None,
        isolation: int = READ_UNCOMMITTED,
    ) -> list[Stretch]:
        """All partitions as they are now, by topic and number; of the topics in `only` that one partition.

        Without `until` the end is the log's, what is behind open transactions included; with READ_COMMITTED it is
        where the first of these begins. Raises Blocked for a topic that is not there.
        """
        places = await self._places(topics, only or {})
        starts = await self._offsets(places, EARLIEST, READ_UNCOMMITTED)
        ends = await self._offsets(places, LATEST, isolation)
        firsts = await self._offsets(places, _ms(since), READ_UNCOMMITTED) if since else starts
        lasts = await self._offsets(places, _ms(until), READ_UNCOMMITTED) if until else ends
        return [
            Stretch(
                topic=place.topic,
                partition=place.partition,
                start=min(_or(firsts[place], ends[place]), ends[place]),
                end=min(_or(lasts[place], ends[place]), ends[place]),
                log_start=starts[place],
            )
            for place in places
        ]

    async def records(self, stretch: Stretch, *, with_values: bool = False) -> AsyncIterator[list[TopicRecord]]:
        """Those of ours, in order, a batch at a time: whole fetches, decompressed, can be large."""
        place_of = _places_of(stretch)
        async for batch in self.batches(stretch):
            found = []
            for record in batch.records:
                read = topic_record(
                    place_of(record.offset),
                    record.timestamp,
                    record.key,
                    record.headers,
                    batch.writer,
                    batch.is_transactional,
                    (record.value or b"") if with_values else b"",
                )
                if read is None:
                    self.foreign += 1
                else:
                    found.append(read)
            yield found

    async def batches(self, stretch: Stretch) -> AsyncIterator[LogBatch]:
        """What is committed in the stretch; a first and a last batch may reach over its ends and are cut to them."""
        at = stretch.start
        waiting_since_s = self._clock.monotonic_s()
        while at < stretch.end:
            fetched = await self._fetched(stretch, at)
            start = at = max(at, fetched.log_start)
            for batch in committed_batches(fetched):
                at = batch.next_offset
                yield _within(batch, start, stretch.end)
                # Workers of the same process have their turn between two batches.
                await self._clock.sleep(0)
            if at > start:
                waiting_since_s = self._clock.monotonic_s()
            elif self._clock.monotonic_s() - waiting_since_s > self.open_transaction_wait_s:
                self.hidden[stretch.topic, stretch.partition] = stretch.end - at
                return

    async def _fetched(self, stretch: Stretch, at: int) -> Fetched:
        """One answer; a leader that moved is looked for some times."""
        failures = 0
        while True:
            try:
                return await self._fetch_once(TopicPartition(stretch.topic, stretch.partition), at)
            except foreign.OffsetOutOfRangeError:
                # Retention took it away meanwhile.
                place = TopicPartition(stretch.topic, stretch.partition)
                start = (await self._offsets([place], EARLIEST, READ_UNCOMMITTED))[place]
                if start <= at:
                    raise
                return Fetched(stable_end=start, log_start=start, aborted=(), data=b"")
            except AGAIN:
                failures += 1
                if failures > FAILURES_MAX:
                    raise
                await self._clock.sleep(FAILURE_WAIT_S)
                await self._client.force_metadata_update()

    async def _fetch_once(self, place: TopicPartition, at: int) -> Fetched:
        request = FetchRequest(
            FETCH_WAIT_MS,
            1,
            FETCH_BYTES_MAX,
            READ_COMMITTED,
            [(place.topic, [(place.partition, at, FETCH_BYTES_MAX)])],
        )
        answer = await self._client.send(self._leader(place), request)
        _, error_code, _, *rest = answer.topics[0][1][0]
        if error_code:
            raise foreign.for_code(error_code)(place)
        # Since version 11 a preferred replica stands between the aborted transactions and the data.
        aborted = rest[2] if answer.API_VERSION >= 11 else rest[-2]
        log_start = rest[1] if answer.API_VERSION >= 5 else 0
        return Fetched(stable_end=rest[0], log_start=log_start, aborted=aborted or (), data=rest[-1] or b"")

    async def _places(self, topics: Collection[str], only: Mapping[str, int]) -> list[TopicPartition]:
        if not await self._client.track(self._client.tracked | set(topics)):
            raise Retry("no broker says which topics there are", code="broker_unavailable")
        places = []
        for topic in sorted(topics):
            partitions = self._client.cluster.partitions_for_topic(topic)
            if not partitions:
                raise self._missing(topic)
            wanted = [only[topic]] if topic in only else sorted(partitions)
            places += [TopicPartition(topic, partition) for partition in wanted]
        return places

    def partitions(self, topic: str) -> int:
        """Of a topic that was asked for before."""
        return len(self._client.cluster.partitions_for_topic(topic) or ())

    async def there(self, topics: Collection[str]) -> tuple[list[str], list[str]]:
        """Those that are there, and those that are not. Raises Blocked for one that may not be read."""
        known, missing = [], []
        for topic in sorted(topics):
            try:
                await self._places([topic], {})
                known.append(topic)
            except Blocked as error:
                if error.code != TOPIC_MISSING:
                    raise
                self._client.untrack([topic])
                missing.append(topic)
        return known, missing

    async def know(self, topics: Collection[str]) -> None:
        """Look these up. Raises Blocked for one that is not there."""
        await self._places(topics, {})

    def _missing(self, topic: str) -> Blocked:
        if topic in self._client.cluster.unauthorized_topics:
            return Blocked(f"the topic {topic} may not be read", code="topic_not_authorized")
        return Blocked(f"the topic {topic} does not exist", code=TOPIC_MISSING)

    async def _offsets(self, places: Sequence[TopicPartition], at_ms: int, isolation: int) -> dict[TopicPartition, int]:
        """By place, -1 where no record is as young; asked of each leader once."""
        by_leader: defaultdict[Any, defaultdict[str, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
        for place in places:
            by_leader[self._leader(place)][place.topic].append((place.partition, at_ms))
        found: dict[TopicPartition, int] = {}
        for leader, asked in by_leader.items():
            answer = await self._client.send(leader, OffsetRequest(-1, isolation, list(asked.items())))
            for topic, partitions in answer.topics:
                for partition, error_code, *_, offset in partitions:
                    if error_code:
                        raise foreign.for_code(error_code)(topic)
                    found[TopicPartition(topic, partition)] = offset
        return found

    def _leader(self, place: TopicPartition) -> Any:
        leader = self._client.cluster.leader_for_partition(place)
        if leader is None or leader < 0:
            raise foreign.LeaderNotAvailableError(place)
        return leader


@asynccontextmanager
async def scanning(settings: KafkaSettings, clock: Clock, timeout_s: float | None = None) -> AsyncIterator[Scanner]:
    """A scanner; what is done with it within `timeout_s` (None: however long it takes) raises Retry or Blocked."""
    client = Client(**client_options(settings))
    try:
        async with asyncio.timeout(timeout_s):
            await client.bootstrap()
            yield Scanner(client, clock)
    except FOREIGN as error:
        raise translated(error, "the topics cannot be read") from error
    finally:
        client.cut()
        await client.reap()


def _within(batch: LogBatch, start: int, end: int) -> LogBatch:
    """A fetch begins with the batch that holds the offset, and a batch may reach over the end."""
    kept = [record for record in batch.records if start <= record.offset < end]
    return batch if len(kept) == len(batch.records) else replace(batch, records=kept)


def _places_of(stretch: Stretch) -> Any:
    topic, partition = stretch.topic, stretch.partition
    return lambda offset: Place(topic, partition, offset)


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _or(offset: int, otherwise: int) -> int:
    return otherwise if offset < 0 else offset
