"""What other rules would do with results that are on the topics already: where each went, and where it would go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, quantiles
from typing import NamedTuple

from bridge.domain.model import Result
from bridge.domain.plan import TriggerPlan
from bridge.domain.record import UNMATCHED_ROUTE
from bridge.domain.topic_record import Place, TopicRecord

SAMPLES_MAX = 10


class Way(NamedTuple):
    """A route with its topic."""

    route: str
    topic: str


Ways = Mapping[Way, Sequence[float]]
"""Each with the probabilities of the labels it rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A record of a result, as it went."""

    record: TopicRecord
    sequence_id: str
    way: Way
    probabilities: Sequence[float]
    result: Result


@dataclass(slots=True)
class Outcome:
    """One result: its ways before and after, and one of its records to read it from again."""

    written_ms: int
    generation: int
    uid: str
    place: Place
    after: Ways
    before: dict[Way, Sequence[float]] = field(default_factory=dict)

    @property
    def is_moved(self) -> bool:
        return self.before.keys() != self.after.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Of the probabilities of the labels that decided."""

    count: int
    mean: float
    p10: float
    p50: float
    p90: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None of none."""
        if not values:
            return None
        if len(values) == 1:
            return cls(count=1, mean=values[0], p10=values[0], p50=values[0], p90=values[0])
        tenths = quantiles(values, n=10, method="inclusive")
        return cls(count=len(values), mean=fmean(values), p10=tenths[0], p50=tenths[4], p90=tenths[8])


@dataclass(slots=True)
class Change:
    """What becomes of one way: results on it before and after, those it gains and those it loses."""

    way: Way
    before: int = 0
    after: int = 0
    gained: int = 0
    lost: int = 0
    probabilities_before: list[float] = field(default_factory=list)
    probabilities_after: list[float] = field(default_factory=list)


class Whatif:
    """Told records in any order, it judges the newest `last` results by the rules of one trigger's new plan."""

    def __init__(self, plan: TriggerPlan, last: int) -> None:
        self._plan = plan
        self._last = last
        self._outcomes: dict[str, Outcome] = {}

    def take(self, sent: Sent) -> None:
        """One record of this trigger; of a replayed result the latest generation counts."""
        record = sent.record
        known = self._outcomes.get(sent.sequence_id)
        if known is None or known.generation < record.generation:
            known = self._outcomes[sent.sequence_id] = Outcome(
                record.written_ms, record.generation, record.uid, record.place, ways_of(self._plan, sent.result)
            )
            if len(self._outcomes) > 2 * self._last:
                self._outcomes = dict(self._newest(0)[: self._last])
        if known.generation == record.generation:
            known.before[sent.way] = sent.probabilities

    def outcomes(self, since_ms: int) -> Sequence[Outcome]:
        """The newest, not older than `since_ms`, from where on all records of a result were read."""
        return [outcome for _, outcome in self._newest(since_ms)[: self._last]]

    def _newest(self, since_ms: int) -> list[tuple[str, Outcome]]:
        there = [item for item in self._outcomes.items() if item[1].written_ms >= since_ms]
        return sorted(there, key=lambda item: item[1].written_ms, reverse=True)


def ways_of(plan: TriggerPlan, result: Result) -> Ways:
    """Where a plan sends a result."""
    live = [match for match in plan.rules.matches(result) if not match.route.shadow]
    if not live and plan.unmatched_topic:
        return {Way(UNMATCHED_ROUTE, plan.unmatched_topic): ()}
    return {
        Way(match.route.name, match.route.topic): tuple(label.probability for label in match.matched) for match in live
    }


def changes(outcomes: Iterable[Outcome]) -> Sequence[Change]:
    """By route and topic."""
    found: dict[Way, Change] = {}
    for outcome in outcomes:
        for way, probabilities in outcome.before.items():
            change = found.setdefault(way, Change(way))
            change.before += 1
            change.lost += way not in outcome.after
            change.probabilities_before += probabilities
        for way, probabilities in outcome.after.items():
            change = found.setdefault(way, Change(way))
            change.after += 1
            change.gained += way not in outcome.before
            change.probabilities_after += probabilities
    return sorted(found.values(), key=lambda change: change.way)


def samples(outcomes: Iterable[Outcome]) -> Sequence[Outcome]:
    """Some of those that move, of every kind of move there is before a second of any."""
    kinds: defaultdict[tuple[frozenset[Way], frozenset[Way]], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.is_moved:
            kinds[frozenset(outcome.before), frozenset(outcome.after)].append(outcome)
    by_turns = [each for turn in range(SAMPLES_MAX) for kind in kinds.values() for each in kind[turn : turn + 1]]
    return by_turns[:SAMPLES_MAX]
