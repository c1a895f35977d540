"""Judges a run by what the platform and the topics saw of it. Pure; knows nothing of the service's code."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.history.events import (
    Event,
    Expectation,
    Expected,
    History,
    Killed,
    LostMark,
    Outage,
    Part,
    Published,
    UnknownReceipt,
    Zombie,
)
from tests.history.timeline import Timeline, timeline_of
from tests.history.verdict import Figures, Verdict, Violation

DEAD_LETTER = "dead_letter"
"""The only route under which one result may have several records: one for each delivery that could not be."""

TICK_MS = 1.0
"""Brokers cut append times down to whole milliseconds."""

CAUSES = {
    Part.BRIDGE: "bridge out: a mark not written",
    Part.KAFKA: "kafka out: a receipt not known",
    Part.REDIS: "redis out: a mark not kept",
}
"""The platform is not among them: what it forgets is fetched again, and the marks swallow it (I5)."""

ZOMBIE = "zombie: work of a process that had lost the trigger"
"""The only cause of a copy behind the advance, or behind the next generation's beginning."""


class Place(NamedTuple):
    """What one record is for."""

    generation: int
    sequence_id: str
    route: str
    topic: str


def judge(history: History, expectations: Sequence[Expectation]) -> Verdict:
    """Every broken invariant of every trigger, and the figures of the run."""
    violations: list[Violation] = []
    figures = Figures(kills=Counter(event.who.value for event in history if isinstance(event, Killed)))
    by_trigger: defaultdict[str, list[Published]] = defaultdict(list)
    for event in history:
        if isinstance(event, Published):
            by_trigger[event.trigger].append(event)
    for expectation in expectations:
        records = by_trigger.pop(expectation.trigger, [])
        records.sort(key=lambda each: (each.append_time_ms, each.topic, each.partition, each.offset))
        trial = Trial(expectation, timeline_of(expectation, history), records, causes_of(history, expectation))
        violations += trial.violations()
        figures += trial.figures()
    for trigger, strays in by_trigger.items():
        violations.append(
            Violation(invariant="I4", code="unexpected_record", trigger=trigger, about=f"{len(strays)} of no trigger")
        )
    return Verdict(violations=tuple(violations), figures=figures)


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that excuses a repeat between two times."""

    from_ms: float
    until_ms: float
    name: str


def causes_of(history: Sequence[Event], expectation: Expectation) -> list[Cause]:
    """What in the history can lead to a duplicate of this trigger (I5); resets do not, they raise the generation."""
    causes: list[Cause] = []
    for event in () if expectation.exactly_once else history:
        match event:
            case Killed() if event.who in CAUSES:
                causes.append(Cause(event.at_ms, event.at_ms, CAUSES[event.who]))
            case Outage() if event.who in CAUSES:
                causes.append(Cause(event.at_ms, event.until_ms, CAUSES[event.who]))
            case UnknownReceipt() if event.trigger == expectation.trigger:
                causes.append(Cause(event.at_ms, event.at_ms, "unknown receipt"))
            case LostMark() if event.trigger == expectation.trigger:
                causes.append(Cause(event.at_ms, event.at_ms, "lost mark"))
            case Zombie() if event.trigger == expectation.trigger:
                causes.append(Cause(event.at_ms, event.until_ms, ZOMBIE))
            case _:
                continue
    return causes


@dataclass(slots=True)
class Trial:
    """One trigger's. `records` stand in the order of their append times."""

    expectation: Expectation
    timeline: Timeline
    records: Sequence[Published]
    causes: Sequence[Cause]

    def violations(self) -> Iterator[Violation]:
        yield from self.timeline.breaches
        yield from self._strays()
        yield from self._identities()
        yield from self._lost_or_early()
        yield from self._mixed_generations()
        yield from self._disorder()
        for _, _, violation in self._repeats():
            if violation:
                yield violation

    def figures(self) -> Figures:
        repeats = Counter(cause for _, cause, violation in self._repeats() if cause and violation is None)
        return Figures(
            results=len(self.timeline.order),
            records=len(self.records),
            first_deliveries=len({(record.topic, record.ce_id) for record in self.records}),
            advances=self.timeline.advances,
            resets=self.timeline.resets,
            duplicates=repeats,
        )

    def _places(self, generation: int) -> Iterator[tuple[int, Expected, Place]]:
        start = self.timeline.start_of(generation)
        for nth, expected in enumerate(self.expectation.generations[generation], start):
            for route, topic in expected.routes.items():
                yield nth, expected, Place(generation, expected.sequence_id, route, topic)

    def _strays(self) -> Iterator[Violation]:
        """Records that nobody expected: of a wrong topic, route, result or generation."""
        uids = {place: each.uid for at in self.expectation.generations for _, each, place in self._places(at)}
        for record in self.records:
            uid = uids.get(place_of(record))
            if uid is None:
                yield self._violation("I4", "unexpected_record", f"{place_of(record)}")
            elif uid != record.uid:
                yield self._violation("I4", "wrong_uid", f"{place_of(record)} has {record.uid}, not {uid}")

    def _identities(self) -> Iterator[Violation]:
        """A ce_id stands for one delivery, and a delivery has one ce_id: consumers drop repeats by it."""
        places: dict[str, Place] = {}
        ids: dict[Place, str] = {}
        for record in self.records:
            place = place_of(record)
            if places.setdefault(record.ce_id, place) != place:
                yield self._violation("I4", "shared_id", f"{record.ce_id} of {places[record.ce_id]} and {place}")
            if record.route != DEAD_LETTER and ids.setdefault(place, record.ce_id) != record.ce_id:
                yield self._violation("I4", "two_ids", f"{place} as {ids[place]} and {record.ce_id}")

    def _lost_or_early(self) -> Iterator[Violation]:
        """I4: what is owed is there. I1: it was there before the position moved past it."""
        first_ms: dict[Place, float] = {}
        for record in self.records:
            first_ms.setdefault(place_of(record), record.append_time_ms)
        last = max(self.expectation.generations, default=0)
        for generation in self.expectation.generations:
            is_owed = (generation == last and self.expectation.drained) or generation in self.expectation.whole
            owed = len(self.timeline.order) if is_owed else 0
            for nth, _, place in self._places(generation):
                advanced_ms = self.timeline.advanced_past_ms(generation, nth)
                if place not in first_ms:
                    if nth < owed or advanced_ms is not None:
                        yield self._violation("I4", "lost", f"{place}")
                elif advanced_ms is not None and first_ms[place] > advanced_ms:
                    late_ms = first_ms[place] - advanced_ms
                    yield self._violation("I1", "advanced_before_ack", f"{place} by {late_ms:.0f} ms")

    def _mixed_generations(self) -> Iterator[Violation]:
        """I3: position and generation belong together, so a record is appended while its generation is the current."""
        begun = self.timeline.begun_ms
        for record in self.records:
            later = [at_ms for generation, at_ms in begun.items() if generation > record.generation]
            if record.append_time_ms + TICK_MS <= begun.get(record.generation, float("inf")):
                yield self._violation("I3", "generation_too_early", f"{place_of(record)}")
            elif later and record.append_time_ms > min(later) and not self._is_of_zombie(record):
                yield self._violation("I3", "generation_too_late", f"{place_of(record)}")

    def _disorder(self) -> Iterator[Violation]:
        """I9: the first deliveries of a key stand in the trigger's order, by offset, in one partition."""
        lanes: defaultdict[tuple[str, int, bytes], list[Published]] = defaultdict(list)
        for record in self.records:
            if record.key is not None and record.sequence_id in self.timeline.place:
                lanes[record.topic, record.generation, record.key].append(record)
        for (topic, generation, key), lane in lanes.items():
            where = f"{topic}, generation {generation}, key {key!r}"
            if len({record.partition for record in lane}) > 1:
                yield self._violation("I9", "key_in_two_partitions", where)
                continue
            seen: set[str] = set()
            furthest = -1
            for record in sorted(lane, key=lambda each: each.offset):
                place = self.timeline.place[record.sequence_id]
                if record.ce_id not in seen and place < furthest:
                    yield self._violation("I9", "out_of_order", f"{record.sequence_id} in {where}")
                seen.add(record.ce_id)
                furthest = max(furthest, place)

    def _repeats(self) -> Iterator[tuple[Published, str, Violation | None]]:
        """I5: a repeat has a cause since its result was fetched for the time before, and comes before the advance."""
        before: dict[tuple[str, str], Published] = {}
        for record in self.records:
            earlier = before.get((record.topic, record.ce_id))
            before[record.topic, record.ce_id] = record
            if earlier is None:
                continue
            cause = self._cause(earlier, record)
            yield record, cause, self._not_excused(record, cause)

    def _is_of_zombie(self, record: Published) -> bool:
        """The broker cut its append time down."""
        at_ms = record.append_time_ms
        zombies = [each for each in self.causes if each.name == ZOMBIE]
        return any(each.from_ms - TICK_MS <= at_ms <= each.until_ms for each in zombies)

    def _cause(self, earlier: Published, record: Published) -> str:
        if self._is_of_zombie(record) or self._is_of_zombie(earlier):
            return ZOMBIE
        since_ms = self.timeline.fetched_before_ms(earlier.sequence_id, earlier.append_time_ms)
        return next(
            (
                each.name
                for each in self.causes
                if each.name != ZOMBIE and each.until_ms >= since_ms and each.from_ms <= record.append_time_ms + TICK_MS
            ),
            "",
        )

    def _not_excused(self, record: Published, cause: str) -> Violation | None:
        place = self.timeline.place.get(record.sequence_id)
        if place is None:
            return None  # reported as a record nobody expected
        advanced_ms = self.timeline.advanced_past_ms(record.generation, place)
        is_late = advanced_ms is not None and record.append_time_ms > advanced_ms
        if is_late and not self._is_of_zombie(record):
            return self._violation("I5", "repeated_after_advance", f"{place_of(record)}")
        if not cause:
            return self._violation("I5", "duplicate_without_cause", f"{place_of(record)} at offset {record.offset}")
        return None

    def _violation(self, invariant: str, code: str, about: str) -> Violation:
        return Violation(invariant=invariant, code=code, trigger=self.expectation.trigger, about=about)


def place_of(record: Published) -> Place:
    """What a record is for, by its own account."""
    return Place(record.generation, record.sequence_id, record.route, record.topic)
