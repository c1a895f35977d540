"""The judge of the topics (I3, I4, I5, I9): told every record once, it says what is twice or out of order.

It keeps rows of numbers, no records: a repeat is found by its mark, disorder by the times at which comments were
uploaded, which is the order of a trigger. Sequence ids are not asked: they are opaque (D7).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from bridge.domain.audit_report import Audited, Cause, Fault, FaultKind
from bridge.domain.instant import parse_instant
from bridge.domain.rows import Rows
from bridge.domain.topic_record import Place, TopicRecord, Writer

EPOCH = datetime.fromtimestamp(0, UTC)
HASH_MAX = 2**64 - 1


class Sighting(NamedTuple):
    """A record as a row."""

    mark: bytes
    topic: int
    partition: int
    offset: int
    written_ms: int
    writer: int
    group: int
    is_transactional: bool


class Ordered(NamedTuple):
    """A record among those of its key, as a row; `mark` is its beginning."""

    key: int
    group: int
    topic: int
    partition: int
    offset: int
    created_us: int
    mark: bytes


class Auditor:
    """`names` are the configured triggers by identity, `generations` the current ones of their standings."""

    def __init__(self, names: Mapping[str, str], generations: Mapping[str, int]) -> None:
        self._names = names
        self._current = generations
        self._groups: dict[tuple[str, int], int] = {}
        self._audited: list[Audited] = []
        self._topics: dict[str, int] = {}
        self._writers: dict[Writer, int] = {}
        self._sightings = Rows(">16sHIQQII?")
        self._ordered = Rows(">QIHIQq8s")
        self._results = Rows(">QI")
        self._furthest: dict[tuple[str, int, str], int] = {}
        self._tenures: defaultdict[tuple[str, int, Writer], Counter[str]] = defaultdict(Counter)

    @property
    def records(self) -> int:
        """How many it was told."""
        return self._sightings.count

    def of(self, identity: str, generation: int) -> Audited:
        """What is known of a trigger in a generation."""
        return self._audited[self._group(identity, generation)]

    def committed_by(self, identity: str, generation: int, writer: Writer) -> Counter[str]:
        """What one producer left in transactions, by route."""
        return self._tenures[identity, generation, writer]

    def take(self, records: Iterable[TopicRecord]) -> None:
        """Records of one partition in their order; partitions come in any order, each whole before the next."""
        for record in records:
            group = self._group(record.trigger, record.generation)
            audited = self._audited[group]
            topic = self._topics.setdefault(record.place.topic, len(self._topics))
            _count(audited, record)
            self._sight(record, topic, group)
            self._results.add(hashed := hash((record.uid, record.created_at)) & HASH_MAX, hashed, group)
            if record.is_transactional:
                self._tenures[record.trigger, record.generation, record.writer][record.route] += 1
            self._order(record, audited, topic, group)

    def findings(self) -> Sequence[Audited]:
        """Everything, by trigger and generation; call it once, at the end."""
        for bucket in self._results:
            for _, group in set(bucket):
                self._audited[group].results += 1
        self._find_repeats()
        self._find_disorder()
        return sorted(self._audited, key=lambda each: (each.trigger, each.generation))

    def _group(self, identity: str, generation: int) -> int:
        number = self._groups.get((identity, generation))
        if number is None:
            number = self._groups[identity, generation] = len(self._audited)
            is_current = self._current.get(identity) == generation
            name = self._names.get(identity, identity)
            self._audited.append(Audited(trigger=name, identity=identity, generation=generation, is_current=is_current))
        return number

    def _sight(self, record: TopicRecord, topic: int, group: int) -> None:
        place, mark = record.place, record.mark
        writer = self._writers.setdefault(record.writer, len(self._writers))
        self._sightings.add(
            mark[0],
            mark,
            topic,
            place.partition,
            place.offset,
            max(record.written_ms, 0),
            writer,
            group,
            record.is_transactional,
        )

    def _order(self, record: TopicRecord, audited: Audited, topic: int, group: int) -> None:
        """Note it for the judgement of order; what a redrive published comes late by its nature."""
        created_us = _created_us(record.created_at)
        if created_us is None:
            audited.undated += 1
            return
        if created_us > audited.newest_created_us:
            audited.newest_created_us, audited.newest_created_at = created_us, record.created_at
        if record.redriven_from:
            return
        self._watch_generation(record, audited)
        if record.key is not None:
            key = hash(record.key) & HASH_MAX
            place = record.place
            self._ordered.add(key, key, group, topic, place.partition, place.offset, created_us, record.mark[:8])

    def _watch_generation(self, record: TopicRecord, audited: Audited) -> None:
        """I3: position and generation move together, so an old generation ends before the next begins."""
        lane = (record.place.topic, record.place.partition, record.trigger)
        furthest = self._furthest.get(lane, record.generation)
        self._furthest[lane] = max(furthest, record.generation)
        if record.generation < furthest:
            audited.old_generation += 1
            detail = f"generation {record.generation} behind generation {furthest}"
            audited.note(Fault(FaultKind.OLD_GENERATION, record.place.spelled, detail, record.ce_id))

    def _find_repeats(self) -> None:
        """I5, I4: the copies of one mark on one topic, oldest first."""
        names = list(self._topics)
        for bucket in self._sightings:
            for _, copies in groupby(map(Sighting._make, bucket), key=lambda each: (each.mark, each.topic)):
                for before, copy in _pairs(copies):
                    cause = _cause(before, copy)
                    audited = self._audited[copy.group]
                    audited.duplicates[cause] += 1
                    if not cause.excuses:
                        audited.note(_repeat(names[copy.topic], before, copy, cause))

    def _find_disorder(self) -> None:
        """I9: the first deliveries of a key stand in the order of upload."""
        names = list(self._topics)
        for bucket in self._ordered:
            for (_, group, topic), lane in groupby(map(Ordered._make, bucket), key=lambda each: each[:3]):
                self._judge_lane(self._audited[group], names[topic], list(lane))

    def _judge_lane(self, audited: Audited, topic: str, lane: Sequence[Ordered]) -> None:
        if lane[0].partition != lane[-1].partition:
            audited.keys_moved += 1
        partition, furthest_us, seen = -1, 0, set[bytes]()
        for each in lane:
            if each.partition != partition:
                partition, furthest_us = each.partition, each.created_us
            if each.created_us < furthest_us and each.mark not in seen:
                audited.out_of_order += 1
                late = (furthest_us - each.created_us) / 1_000_000
                detail = f"uploaded {late:.3f} s before a comment of the same key that stands in front of it"
                where = Place(topic, each.partition, each.offset).spelled
                audited.note(Fault(FaultKind.OUT_OF_ORDER, where, detail))
            seen.add(each.mark)
            furthest_us = max(furthest_us, each.created_us)


def _count(audited: Audited, record: TopicRecord) -> None:
    audited.records += 1
    audited.by_topic[record.place.topic, record.route] += 1
    audited.in_transactions += record.is_transactional
    audited.redriven += bool(record.redriven_from)
    if record.is_dead:
        audited.reasons[record.dead_reason] += 1


def _pairs(copies: Iterable[Sighting]) -> Iterator[tuple[Sighting, Sighting]]:
    """Each copy with the one before it, by the offsets of a partition and by time between partitions."""
    ordered = list(copies)
    if len(ordered) > 1:
        if ordered[0].partition != ordered[-1].partition:
            ordered.sort(key=lambda each: each.written_ms)
        yield from pairwise(ordered)


def _cause(before: Sighting, copy: Sighting) -> Cause:
    if before.is_transactional and copy.is_transactional:
        return Cause.IN_TRANSACTIONS
    return Cause.NONE if before.writer == copy.writer else Cause.OTHER_PRODUCER


def _repeat(topic: str, before: Sighting, copy: Sighting, cause: Cause) -> Fault:
    first = Place(topic, before.partition, before.offset).spelled
    where = Place(topic, copy.partition, copy.offset).spelled
    detail = f"as {first}, {(copy.written_ms - before.written_ms) / 1000:.3f} s later: {cause.value}"
    return Fault(FaultKind.DUPLICATE, where, detail, copy.mark.hex())


def _created_us(created_at: str) -> int | None:
    instant = parse_instant(created_at)
    if instant is None:
        return None
    since = instant - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
