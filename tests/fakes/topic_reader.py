"""The topics as a list: what was published, in the order it was."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bridge.domain.delivery import Delivery, MarkKey
from bridge.domain.plan import TriggerPlan
from bridge.domain.replay_count import Count, ReplayCount
from bridge.domain.topic_record import Bounds, Place, Search, TopicRecord, Writer, topic_record

ONE_PRODUCER = Writer(1, 0)


@dataclass
class FakeTopicReader:
    """One partition a topic. `now_ms` is the time the next records are written at."""

    records: list[TopicRecord] = field(default_factory=list)
    now_ms: int = 1_750_000_000_000
    chunk: int = 3

    def land(self, deliveries: Sequence[Delivery], *, writer: Writer = ONE_PRODUCER) -> None:
        """Publish them."""
        for each in deliveries:
            offset = sum(record.place.topic == each.topic for record in self.records)
            place = Place(each.topic, 0, offset)
            record = topic_record(place, self.now_ms, each.key, each.headers, writer, False, each.value)
            assert record is not None
            self.records.append(record)

    async def deliveries(self, uid: str, plans: Sequence[TriggerPlan], bounds: Bounds) -> Search:
        identities = {plan.ref.identity for plan in plans}
        topics = frozenset().union(*(plan.topics for plan in plans))
        return self._search(topics, bounds, lambda each: each.uid == uid and each.trigger in identities)

    async def dead_letters(self, plan: TriggerPlan, bounds: Bounds) -> Search:
        topics = {plan.dead_letter.topic} if plan.dead_letter else set()
        return self._search(topics, bounds, lambda each: each.is_dead and each.trigger == plan.ref.identity)

    async def dead_letters_in_order(
        self, plan: TriggerPlan, since: datetime | None
    ) -> AsyncGenerator[Sequence[TopicRecord], None]:
        found = [each for each in self.records if each.is_dead and each.trigger == plan.ref.identity]
        found = [each for each in found if since is None or each.written_at >= since]
        for start in range(0, len(found), self.chunk):
            yield found[start : start + self.chunk]

    async def marks_of(self, plan: TriggerPlan, uids: Collection[str], since: datetime | None) -> frozenset[MarkKey]:
        return frozenset(
            each.mark
            for each in self.records
            if each.trigger == plan.ref.identity and not each.is_dead and (each.uid in uids or each.redriven_from)
        )

    def _search(self, topics: Collection[str], bounds: Bounds, is_wanted: Callable[[TopicRecord], bool]) -> Search:
        since = bounds.since or datetime.fromtimestamp(0, UTC)
        there = [each for each in self.records if each.place.topic in topics and each.written_at >= since]
        read = there[-bounds.records_max :]
        found = [each._replace(value=b"") for each in reversed(read) if is_wanted(each)]
        return Search(
            records=tuple(found[: bounds.found_max]),
            records_read=len(read),
            is_whole=len(read) == len(there) and len(found) <= bounds.found_max,
            searched_since=read[0].written_at if len(read) < len(there) else since,
        )


@dataclass
class FakeReplayCounter:
    """Counts on the topics of a fake reader."""

    reader: FakeTopicReader = field(default_factory=FakeTopicReader)

    async def count(self, plan: TriggerPlan, since: datetime, until: datetime | None) -> ReplayCount:
        there = [each for each in self.reader.records if each.place.topic in plan.topics and each.written_at >= since]
        counted = Count(trigger=plan.ref.identity, since=since, until=until)
        counted.add(there)
        return counted.result(len(there), None)
