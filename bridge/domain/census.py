"""How probable the labels are that routes ask for: what each threshold lets through, and would if it were moved.

A threshold *decides* a result when the route's other conditions leave it to this one. Moving it then moves exactly the
decided results between the old and the new value; all others go where they went.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bridge.domain.conditions import AllOf, Always, AnyOf, Condition, LabelHolds, Not, Span, Way, label_leaves
from bridge.domain.labels import is_exact, pattern_test
from bridge.domain.model import Batch, Label, Prediction, Result, Undecodable
from bridge.domain.position import platform_ids
from bridge.domain.rules import MatchMode, Route, RuleSet, condition_test

BUCKETS = 101
"""From 0.00 to 1.00: thresholds are written with two decimals, so this says exactly what moving one would do."""

THRESHOLDS_MAX = 200
"""More than a person looks at; the first ones of a large rule set are counted."""

COUNTED_WHOLE = 2_000
COUNTED_OF_BATCH_MAX = 16
"""The first results are all counted; later ones, of a batch an even sample, so that it costs next to nothing."""

RECENT_MAX = 10
RECENT_BYTES_MAX = 16 * 1024
"""Some results to pick one from; small, since hundreds of triggers may keep them."""
RECENT_OF_BATCH_MAX = 2
"""Of a batch, once there are enough: to keep one is to copy it."""

NEVER = AnyOf(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One label condition of a route, by its place among them. `negated`: the route wants it not to hold.

    `shown` counts results by the largest probability under the pattern, `decided` those that this threshold decides;
    `taken` are the results the route takes as it stands. All of them among the counted ones.
    """

    place: int
    route: Route
    leaf: LabelHolds
    negated: bool
    shown: Sequence[int]
    decided: Sequence[int]
    taken: int

    def would_take(self, low: float) -> int:
        """The results the route would take with `min` at `low`, both on the edge of a bucket."""
        moved = sum(self.decided[bucket(low) :]) - sum(self.decided[bucket(self.leaf.min) :])
        return self.taken - moved if self.negated else self.taken + moved


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusTaken:
    """`counted` of `results` were looked at since `since`. `left_out` thresholds are past the bound."""

    since: datetime
    results: int
    counted: int
    left_out: int
    thresholds: Sequence[Threshold]


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What is counted of one threshold. `is_alone`: its route asks for nothing else."""

    place: int
    route: Route
    route_place: int
    leaf: LabelHolds
    negated: bool
    if_it_held: Callable[[Result], bool]
    if_it_did_not: Callable[[Result], bool]
    is_alone: bool
    shown: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    decided: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    low: float = field(init=False)
    high: float = field(init=False)
    sentiments: Span | None = field(init=False)

    def __post_init__(self) -> None:
        # Making a span takes a microsecond, and there is one for every result and threshold.
        self.low, self.high = self.leaf.probability_span.low, self.leaf.probability_span.high
        self.sentiments = self.leaf.sentiment_span if self.leaf.wants_sentiment else None

    def count(self, result: Result, named: Sequence[Prediction]) -> bool:
        """Whether the condition holds; `named` are the predictions under the pattern, one at least."""
        if len(named) == 1 and self.sentiments is None:
            # Nearly always.
            largest = named[0].probability
            weighed = largest if largest <= self.high else None
        else:
            largest = max([each.probability for each in named])
            weighed = self._weighed(named)
        at = bucket(largest)
        self.shown[at] += 1
        if weighed is not None and (self.is_alone or self.if_it_held(result) != self.if_it_did_not(result)):
            self.decided[at if weighed == largest else bucket(weighed)] += 1
        return weighed is not None and weighed >= self.low

    def _weighed(self, named: Sequence[Prediction]) -> float | None:
        """The probability that `min` is held against: the largest that nothing else of the condition rules out."""
        sentiments = self.sentiments
        if sentiments is not None:
            named = [each for each in named if each.sentiment is not None and sentiments.holds(each.sentiment)]
        high = self.high
        fit = [each.probability for each in named if each.probability <= high]
        return max(fit) if fit else None


class Census:
    """Counts what passes under one rule set, within bounds, and keeps the last few counted results to be looked at."""

    def __init__(self, rules: RuleSet, since: datetime) -> None:
        self.rules = rules
        self.recent: deque[Result] = deque(maxlen=RECENT_MAX)
        self.since = since
        self._results = self._counted = self._left_out = 0
        self._places = {id(route): place for place, route in enumerate(rules.routes)}
        self._taken: Counter[int] = Counter()
        self._tallies = self._tallies_of(rules)
        self._exact: defaultdict[Label, list[_Tally]] = defaultdict(list)
        self._wild: list[tuple[Callable[[Label], bool], _Tally]] = []
        for tally in self._tallies:
            if is_exact(tally.leaf.pattern):
                self._exact[tally.leaf.pattern].append(tally)
            else:
                self._wild.append((pattern_test(tally.leaf.pattern), tally))
        # Then the rules need not be asked once more: a third of what counting takes.
        self._is_told_by_tallies = (
            rules.mode is MatchMode.ALL
            and len(self._tallies) == len(rules.routes)
            and all(tally.is_alone for tally in self._tallies)
        )

    @property
    def results(self) -> int:
        """How many have passed."""
        return self._results

    def is_of(self, rules: RuleSet) -> bool:
        """Whether these rules ask the same: a reload that changed something else starts no new count."""
        return (rules.routes, rules.mode) == (self.rules.routes, self.rules.mode)

    def count(self, batch: Batch) -> None:
        """A batch that was carried over."""
        results = batch.results
        self._results += sum(map(bool, platform_ids(batch)))
        wanted = len(results) if self._counted < COUNTED_WHOLE else COUNTED_OF_BATCH_MAX
        step = max(1, -(-len(results) // max(1, wanted)))
        sample = [result for result in results[::step] if not isinstance(result, Undecodable)]
        for result in sample:
            self._count(result)
        latest = sample[-max(RECENT_MAX - len(self.recent), RECENT_OF_BATCH_MAX) :]
        self.recent.extend(result.kept() for result in latest if len(result.rest) < RECENT_BYTES_MAX)

    def taken(self) -> CensusTaken:
        """As it stands now."""
        return CensusTaken(
            since=self.since,
            results=self._results,
            counted=self._counted,
            left_out=self._left_out,
            thresholds=[
                Threshold(
                    place=tally.place,
                    route=tally.route,
                    leaf=tally.leaf,
                    negated=tally.negated,
                    shown=tuple(tally.shown),
                    decided=tuple(tally.decided),
                    taken=self._taken[tally.route_place],
                )
                for tally in self._tallies
            ],
        )

    def _tallies_of(self, rules: RuleSet) -> list[_Tally]:
        tallies: list[_Tally] = []
        for route_place, route in enumerate(rules.routes):
            for way, leaf in label_leaves(route.when):
                if len(tallies) == THRESHOLDS_MAX:
                    self._left_out += 1
                    continue
                tallies.append(
                    _Tally(
                        place=len(tallies),
                        route=route,
                        route_place=route_place,
                        leaf=leaf,
                        negated=sum(isinstance(entered, Not) for entered, _ in way) % 2 == 1,
                        if_it_held=condition_test(_rebuilt(way, Always())),
                        if_it_did_not=condition_test(_rebuilt(way, NEVER)),
                        is_alone=not way,
                    )
                )
        return tallies

    def _count(self, result: Result) -> None:
        self._counted += 1
        if self._is_told_by_tallies:
            for tally, named in self._asked_of(result):
                if tally.count(result, named):
                    self._taken[tally.route_place] += 1
            return
        matches = self.rules.matches(result)
        places = [self._places[id(match.route)] for match in matches]
        for place in places:
            self._taken[place] += 1
        closed_at = len(self._places)
        if self.rules.mode is MatchMode.FIRST and matches and not matches[-1].route.shadow:
            closed_at = places[-1]
        for tally, named in self._asked_of(result):
            # With `first` a result that an earlier route took is out of reach, wherever the threshold stands.
            if tally.route_place <= closed_at:
                tally.count(result, named)

    def _asked_of(self, result: Result) -> Iterable[tuple[_Tally, Sequence[Prediction]]]:
        wild = self._wild
        asked: dict[int, tuple[_Tally, list[Prediction]]] = {}
        for prediction in result.labels:
            label = prediction.name
            tallies = self._exact.get(label)
            if wild:
                tallies = [*(tallies or ()), *(tally for test, tally in wild if test(label))]
            # Most labels of a result are of no threshold.
            if not tallies or not Span.measures(prediction.probability):
                continue
            for tally in tallies:
                if tally.place in asked:
                    asked[tally.place][1].append(prediction)
                else:
                    asked[tally.place] = tally, [prediction]
        return asked.values()


def bucket(probability: float) -> int:
    """The place among the buckets. What is under 0 counts as 0, what is over 1 as 1."""
    place = 0 if probability < 0.0 else BUCKETS - 1 if probability > 1.0 else int(probability * 100)
    # 0.29 * 100 is a little less than 29: what decides is the number as it is written
    if place < BUCKETS - 1 and probability >= (place + 1) / 100:
        return place + 1
    return place - 1 if place and probability < place / 100 else place


def _rebuilt(way: Way, part: Condition) -> Condition:
    """The condition at the start of `way` with `part` at its end, shortened where a constant decides."""
    for entered, place in reversed(way):
        match entered:
            case Not():
                part = _inverted(part)
            case AllOf(parts=parts):
                others = (*parts[:place], *parts[place + 1 :])
                part = NEVER if part == NEVER else _joined(AllOf, others, part)
            case AnyOf(parts=parts):
                others = (*parts[:place], *parts[place + 1 :])
                part = part if part == Always() else _joined(AnyOf, others, part)
    return part


def _inverted(part: Condition) -> Condition:
    if part == Always():
        return NEVER
    return Always() if part == NEVER else Not(part)


def _joined(kind: type[AllOf] | type[AnyOf], others: tuple[Condition, ...], part: Condition) -> Condition:
    neutral: Condition = Always() if kind is AllOf else NEVER
    parts = others if part == neutral else (*others, part)
    return neutral if not parts else parts[0] if len(parts) == 1 else kind(parts)
