"""`bridge whatif` at work: the newest results on the topics, read and judged by the plans of a new configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.scan import Scanner, Stretch, scanning
from bridge.adapters.platform.wire import decode_result
from bridge.app.config.settings import Settings
from bridge.domain.explain import explain
from bridge.domain.explained import Explanation, RouteExplained
from bridge.domain.model import Undecodable
from bridge.domain.plan import TriggerPlan
from bridge.domain.record import UNMATCHED_ROUTE
from bridge.domain.spoken import flip_sentence, sentence
from bridge.domain.topic_record import TopicRecord
from bridge.domain.whatif import Change, Outcome, Sent, Spread, Way, Whatif, changes, samples

Told = Callable[[int, int], None]


class _Matched(msgspec.Struct):
    probability: float | None = None


class _Route(msgspec.Struct):
    name: str
    topic: str
    matched: tuple[_Matched, ...] = ()


class _Envelope(msgspec.Struct):
    """What of a record's value is the bridge's own."""

    route: _Route
    sequence_id: str


_read_envelope = msgspec.json.Decoder(_Envelope).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A result that would go elsewhere, and why, in a line for each way it gains or loses."""

    uid: str
    place: str
    before: Sequence[Way]
    after: Sequence[Way]
    why: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerWhatif:
    """One trigger. `sees_unmatched` is false where results that no rule took are on no topic, and so not in here."""

    name: str
    results: int
    moved: int
    changes: Sequence[Change]
    samples: Sequence[Moved]
    sees_unmatched: bool

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return {
            "trigger": self.name,
            "results": self.results,
            "moved": self.moved,
            "share_moved": round(self.moved / self.results, 4) if self.results else 0.0,
            "sees_unmatched": self.sees_unmatched,
            "routes": [_change_as_json(change) for change in self.changes],
            "samples": [
                {
                    "uid": each.uid,
                    "record": each.place,
                    "before": [way._asdict() for way in each.before],
                    "after": [way._asdict() for way in each.after],
                    "why": list(each.why),
                }
                for each in self.samples
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatifOutcome:
    """`missing` are topics of the new configuration that are not there yet."""

    triggers: Sequence[TriggerWhatif]
    topics: Sequence[str]
    missing: Sequence[str]

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return {
            "topics": list(self.topics),
            "missing_topics": list(self.missing),
            "triggers": [each.as_json() for each in self.triggers],
        }


async def whatif(
    settings: Settings, last: int, since: datetime | None, more_topics: Collection[str], told: Told
) -> WhatifOutcome:
    """Read and judge; publishes nothing. `more_topics` are read beside those the configuration names."""
    plans = {plan.ref.identity: plan for plan in settings.triggers}
    wanted = frozenset(more_topics).union(*(plan.topics for plan in plans.values()))
    async with scanning(settings.kafka, SystemClock()) as scanner:
        stretches, missing = await _newest_of(scanner, wanted, since, last)
        reading = _Reading(plans, last)
        await reading.read(scanner, stretches, told)
        triggers = [await reading.judged(identity, scanner) for identity in plans]
        topics = sorted(wanted - set(missing))
    return WhatifOutcome(triggers=triggers, topics=topics, missing=missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Newest:
    stretch: Stretch
    is_cut: bool


async def _newest_of(
    scanner: Scanner, topics: Collection[str], since: datetime | None, last: int
) -> tuple[list[_Newest], list[str]]:
    """The last records of every partition: any of them may hold all of the newest results."""
    there, missing = await scanner.there(topics)
    found = []
    for stretch in await scanner.stretches(there, since=since):
        start = max(stretch.start, stretch.end - last)
        found.append(_Newest(stretch=replace(stretch, start=start), is_cut=start > stretch.start))
    return found, missing


class _Reading:
    def __init__(self, plans: Mapping[str, TriggerPlan], last: int) -> None:
        self._plans = plans
        self._whatifs = {identity: Whatif(plan, last) for identity, plan in plans.items()}
        self._whole_since_ms = 0
        self._unmatched: defaultdict[str, int] = defaultdict(int)

    async def read(self, scanner: Scanner, newest: Sequence[_Newest], told: Told) -> None:
        done, whole = 0, sum(each.stretch.length for each in newest)
        for each in newest:
            first_ms: int | None = None
            async for records in scanner.records(each.stretch, with_values=True):
                for record in records:
                    first_ms = record.written_ms if first_ms is None else first_ms
                    self._take(record)
                if records:
                    told(done + records[-1].place.offset + 1 - each.stretch.start, whole)
            if each.is_cut and first_ms is not None:
                self._whole_since_ms = max(self._whole_since_ms, first_ms)
            done += each.stretch.length
            told(done, whole)

    def _take(self, record: TopicRecord) -> None:
        found = self._whatifs.get(record.trigger)
        sent = None if found is None or record.is_dead else _sent(record)
        if found is not None and sent is not None:
            found.take(sent)
            self._unmatched[record.trigger] += record.route == UNMATCHED_ROUTE

    async def judged(self, identity: str, scanner: Scanner) -> TriggerWhatif:
        """What the whole of it says of one trigger."""
        plan = self._plans[identity]
        outcomes = self._whatifs[identity].outcomes(self._whole_since_ms)
        return TriggerWhatif(
            name=plan.name,
            results=len(outcomes),
            moved=sum(outcome.is_moved for outcome in outcomes),
            changes=changes(outcomes),
            samples=[await _explained(scanner, plan, outcome) for outcome in samples(outcomes)],
            sees_unmatched=self._unmatched[identity] > 0,
        )


def _sent(record: TopicRecord) -> Sent | None:
    """None for a value that is no record of a result, whoever wrote it."""
    result = decode_result(record.value)
    if isinstance(result, Undecodable):
        return None
    try:
        envelope = _read_envelope(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    probabilities = [each.probability for each in envelope.route.matched if each.probability is not None]
    way = Way(envelope.route.name, record.place.topic)
    return Sent(record=record, sequence_id=envelope.sequence_id, way=way, probabilities=probabilities, result=result)


async def _explained(scanner: Scanner, plan: TriggerPlan, outcome: Outcome) -> Moved:
    why = ["its record is no longer there to be explained"]
    place = outcome.place
    at = Stretch(topic=place.topic, partition=place.partition, start=place.offset, end=place.offset + 1)
    async for records in scanner.records(at, with_values=True):
        for record in records:
            result = decode_result(record.value)
            if not isinstance(result, Undecodable):
                why = _reasons(explain(plan.rules, result), outcome)
    return Moved(
        uid=outcome.uid, place=place.spelled, before=sorted(outcome.before), after=sorted(outcome.after), why=why
    )


def _reasons(explanation: Explanation, outcome: Outcome) -> list[str]:
    by_way = {Way(each.route.name, each.route.topic): each for each in explanation.routes}
    said = []
    for way in sorted(outcome.before.keys() ^ outcome.after.keys()):
        is_gained = way in outcome.after
        reason = _reason(way, by_way.get(way), is_gained=is_gained)
        said.append(f"{'+' if is_gained else '-'} {way.route} -> {way.topic}: {reason}")
    return said


def _reason(way: Way, route: RouteExplained | None, *, is_gained: bool) -> str:
    if way.route == UNMATCHED_ROUTE:
        return "no route takes it" if is_gained else "a route takes it, or the topic is another"
    if route is None:
        return "there is no such route to this topic any more"
    if is_gained:
        return sentence(route.why)
    if route.why.holds:
        return "it holds, but an earlier route takes the result, or it is a shadow now"
    return f"{sentence(route.why)}; to hold: {flip_sentence(route.why.flip) or 'nothing would'}"


def _change_as_json(change: Change) -> dict[str, object]:
    return {
        "route": change.way.route,
        "topic": change.way.topic,
        "before": change.before,
        "after": change.after,
        "gained": change.gained,
        "lost": change.lost,
        "probability_before": _spread_as_json(change.probabilities_before),
        "probability_after": _spread_as_json(change.probabilities_after),
    }


def _spread_as_json(values: Sequence[float]) -> dict[str, float] | None:
    spread = Spread.of(values)
    if spread is None:
        return None
    figures = {"mean": spread.mean, "p10": spread.p10, "p50": spread.p50, "p90": spread.p90}
    return {"count": spread.count, **{name: round(value, 4) for name, value in figures.items()}}
