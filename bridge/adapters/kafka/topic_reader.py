"""Searches on the topics for people who ask while the workers run: bounded in time, in records and in number."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bridge.adapters.kafka.packing import partition_of
from bridge.adapters.kafka.scan import READ_COMMITTED, Scanner, Stretch, scanning
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.delivery import MarkKey
from bridge.domain.errors import Retry
from bridge.domain.plan import KeyKind, TriggerPlan
from bridge.domain.record import text
from bridge.domain.topic_record import Bounds, Search, TopicRecord
from bridge.ports import Clock

SEARCHES_AT_ONCE = 2
SEARCH_TIMEOUT_S = 30.0


class KafkaTopicReader:
    """Each search has a connection of its own. Two run at a time; the third waits, within its own time-out."""

    def __init__(self, settings: KafkaSettings, clock: Clock, *, timeout_s: float = SEARCH_TIMEOUT_S) -> None:
        self._settings = settings
        self._clock = clock
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(SEARCHES_AT_ONCE)

    async def deliveries(self, uid: str, plans: Sequence[TriggerPlan], bounds: Bounds) -> Search:
        """As the port says. Where records are keyed by the comment's uid, only its partition is read."""
        keyed_by_uid = _keyed_by_uid(plans)
        identities = {plan.ref.identity for plan in plans}
        topics = frozenset().union(*(plan.topics for plan in plans))

        def is_wanted(record: TopicRecord) -> bool:
            return record.uid == uid and record.trigger in identities

        return await self._search(topics, keyed_by_uid, text(uid), is_wanted, bounds)

    async def dead_letters(self, plan: TriggerPlan, bounds: Bounds) -> Search:
        """As the port says; none where the trigger has no topic for them."""
        if plan.dead_letter is None:
            return Search(records=(), records_read=0, is_whole=True, searched_since=None)

        def is_wanted(record: TopicRecord) -> bool:
            return record.is_dead and record.trigger == plan.ref.identity

        return await self._search({plan.dead_letter.topic}, frozenset(), b"", is_wanted, bounds)

    async def dead_letters_in_order(
        self, plan: TriggerPlan, since: datetime | None
    ) -> AsyncGenerator[Sequence[TopicRecord], None]:
        """As the port says; no bound but the broker's own answers."""
        if plan.dead_letter is None:
            return
        async with scanning(self._settings, self._clock) as scanner:
            for stretch in await scanner.stretches({plan.dead_letter.topic}, since=since):
                async for records in scanner.records(stretch, with_values=True):
                    yield [each for each in records if each.is_dead and each.trigger == plan.ref.identity]

    async def marks_of(self, plan: TriggerPlan, uids: Collection[str], since: datetime | None) -> frozenset[MarkKey]:
        """As the port says."""
        marks: set[MarkKey] = set()
        async with scanning(self._settings, self._clock) as scanner:
            for stretch in await scanner.stretches(plan.topics, since=since):
                async for records in scanner.records(stretch):
                    marks |= {each.mark for each in records if _may_be_of(each, plan, uids)}
        return frozenset(marks)

    async def _search(
        self,
        topics: Collection[str],
        keyed: Collection[str],
        key: bytes,
        is_wanted: Callable[[TopicRecord], bool],
        bounds: Bounds,
    ) -> Search:
        if not topics:
            return Search(records=(), records_read=0, is_whole=True, searched_since=None)
        try:
            async with asyncio.timeout(self._timeout_s), self._turns, scanning(self._settings, self._clock) as scanner:
                await scanner.know(topics)
                only = {topic: partition_of(key, scanner.partitions(topic)) for topic in keyed}
                return await _found(scanner, topics, only, is_wanted, bounds)
        except TimeoutError as error:
            raise Retry(f"the search took longer than {self._timeout_s:.0f} s", code="timeout") from error


def _may_be_of(record: TopicRecord, plan: TriggerPlan, uids: Collection[str]) -> bool:
    ours = record.trigger == plan.ref.identity and not record.is_dead
    return ours and (record.uid in uids or bool(record.redriven_from))


def _keyed_by_uid(plans: Sequence[TriggerPlan]) -> frozenset[str]:
    """Topics on which every record of these triggers has its comment's uid for a key; dead letters always have."""
    by_uid: set[str] = set()
    others: set[str] = set()
    for plan in plans:
        dead = {plan.dead_letter.topic} if plan.dead_letter else set()
        by_uid |= dead
        (by_uid if plan.key.kind is KeyKind.COMMENT_UID else others).update(plan.topics - dead)
    return frozenset(by_uid - others)


@dataclass(slots=True)
class _Newest:
    """The newest `size` records that were shown to it."""

    size: int
    kept: list[tuple[int, str, int, int, TopicRecord]] = field(default_factory=list)
    dropped: int = 0

    def add(self, record: TopicRecord) -> None:
        item = (record.written_ms, *record.place, record)
        if len(self.kept) < self.size:
            heapq.heappush(self.kept, item)
        else:
            self.dropped += 1
            heapq.heappushpop(self.kept, item)

    def newest_first(self) -> tuple[TopicRecord, ...]:
        return tuple(item[-1] for item in sorted(self.kept, reverse=True))


async def _found(
    scanner: Scanner,
    topics: Collection[str],
    only: Mapping[str, int],
    is_wanted: Callable[[TopicRecord], bool],
    bounds: Bounds,
) -> Search:
    stretches = await scanner.stretches(topics, since=bounds.since, only=only, isolation=READ_COMMITTED)
    newest, read = _Newest(bounds.found_max), 0
    since_ms, is_cut = round(bounds.since.timestamp() * 1000) if bounds.since else 0, False
    for stretch in _bounded(stretches, bounds.records_max):
        is_cut = is_cut or stretch not in stretches
        first_ms: int | None = None
        async for records in scanner.records(stretch):
            for record in records:
                read += 1
                first_ms = record.written_ms if first_ms is None else first_ms
                if is_wanted(record):
                    newest.add(record)
        if stretch not in stretches and first_ms is not None:
            since_ms = max(since_ms, first_ms)
    return Search(
        records=newest.newest_first(),
        records_read=read,
        is_whole=not is_cut and not newest.dropped,
        searched_since=datetime.fromtimestamp(since_ms / 1000, UTC),
    )


def _bounded(stretches: Sequence[Stretch], records_max: int) -> list[Stretch]:
    """Their newest parts, shared out so that short ones leave their share to long ones."""
    left, bounded = records_max, []
    by_length = sorted(stretches, key=lambda each: each.length)
    for nth, stretch in enumerate(by_length):
        share = min(stretch.length, left // (len(by_length) - nth))
        left -= share
        bounded.append(stretch if share == stretch.length else replace(stretch, start=stretch.end - share))
    return bounded
