"""Routes and which of them hold for a result (step 2 of the pipeline)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias, assert_never

from bridge.domain.conditions import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    EntityPresent,
    LabelHolds,
    Not,
    UserPropertyHolds,
    label_leaves,
)
from bridge.domain.labels import is_exact, pattern_test
from bridge.domain.model import Label, Prediction, Result
from bridge.domain.rule_index import RuleIndex

__all__ = [
    "AllOf",
    "Always",
    "AnyOf",
    "Condition",
    "EntityPresent",
    "LabelHolds",
    "MatchMode",
    "MatchedLabel",
    "Not",
    "Route",
    "RouteMatch",
    "RuleSet",
    "UserPropertyHolds",
    "condition_test",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One rule and the topic it leads to. A shadow route is decided and counted, never published."""

    name: str
    topic: str
    when: Condition
    shadow: bool = False


class MatchMode(Enum):
    """ALL: every route that holds. FIRST: the first live one that holds."""

    ALL = "all"
    FIRST = "first"


class MatchedLabel(NamedTuple):
    """A prediction that made a route hold, and the least probability the rule wanted of it. Always finite.

    A tuple, since there is one at least for every record, and a frozen dataclass takes three times as long to make.
    """

    label: Label
    probability: float
    min: float


@dataclass(slots=True)
class RouteMatch:
    """A route that holds. `matched` has each prediction that a part of it asked for, negated parts excepted."""

    route: Route
    matched: tuple[MatchedLabel, ...]


class RuleSet:
    """The routes of one trigger, compiled once; what a result does not show costs nothing (see RuleIndex)."""

    def __init__(self, routes: Sequence[Route], mode: MatchMode = MatchMode.ALL) -> None:
        self.routes = tuple(routes)
        self.mode = mode
        self._checked = tuple((route, _compiled(route.when)) for route in self.routes)
        self._index = RuleIndex([route.when for route in self.routes])
        self._named = frozenset(label for route in self.routes for label in _labels_named(route.when))
        self._plain = _plain_routes(self.routes)

    def matches(self, result: Result) -> Sequence[RouteMatch]:
        """The routes that hold, in their order.

        With FIRST there is at most one live match, and it comes last. A shadow route never takes its place: those
        that stand before it are reported beside it, as what each would have taken had it alone been live; those
        behind it are not, since live they would have got nothing.
        """
        held = self._held_plainly(result)
        return self._held(result) if held is None else held

    def _held_plainly(self, result: Result) -> Sequence[RouteMatch] | None:
        """The short way, where every route asks for one label and none of them holds twice."""
        if self._plain is None:
            return None
        held: dict[int, RouteMatch] = {}
        for each in result.labels:
            leaves = self._plain.get(each.name)
            if leaves is None:
                continue
            probability = each.probability
            for place, leaf, low, high in leaves:
                if low <= probability <= high:
                    if place in held:
                        return None
                    matched = MatchedLabel(leaf.pattern, probability, leaf.min)
                    held[place] = RouteMatch(self.routes[place], (matched,))
        if len(held) < 2:
            return list(held.values())
        return [held[place] for place in sorted(held)] if self.mode is MatchMode.ALL else None

    def _held(self, result: Result) -> Sequence[RouteMatch]:
        shown = _shown(result, self._named)
        candidates = self._index.candidates(shown, result.labels, result.entities, result.comment.user_properties)
        held: list[RouteMatch] = []
        for place in candidates:
            route, check = self._checked[place]
            matched = check(shown, result)
            if matched is None:
                continue
            held.append(RouteMatch(route, tuple(dict.fromkeys(matched) if len(matched) > 1 else matched)))
            if self.mode is MatchMode.FIRST and not route.shadow:
                break
        return held


_Plain: TypeAlias = Mapping[Label, Sequence[tuple[int, LabelHolds, float, float]]]
"""The routes of each label by their places, with the least and the largest probability they take."""


def _plain_routes(routes: Sequence[Route]) -> _Plain | None:
    """None where one of them asks for more than one label named in full."""
    by_label: dict[Label, list[tuple[int, LabelHolds, float, float]]] = {}
    for place, route in enumerate(routes):
        leaf = route.when
        if not isinstance(leaf, LabelHolds) or not _is_plain(leaf):
            return None
        span = leaf.probability_span
        by_label.setdefault(leaf.pattern, []).append((place, leaf, span.low, span.high))
    return by_label


_Shown: TypeAlias = Mapping[Label, Sequence[Prediction]]
"""The predictions of those labels that some condition names in full."""


def _shown(result: Result, named: Set[Label]) -> _Shown:
    """A label is hashed once, and most are of no rule: that halves what a result with six of them costs."""
    by_label: dict[Label, list[Prediction]] = {}
    for each in result.labels:
        label = each.name
        if label in named:
            # A label may be predicted twice, with two sentiments.
            by_label.setdefault(label, []).append(each)
    return by_label


def _labels_named(condition: Condition) -> Iterator[Label]:
    return (leaf.pattern for _, leaf in label_leaves(condition) if is_exact(leaf.pattern))


_Check: TypeAlias = Callable[[_Shown, Result], "list[MatchedLabel] | None"]
"""None where the condition does not hold, otherwise the predictions it rests on."""


def condition_test(condition: Condition) -> Callable[[Result], bool]:
    """Whether a condition by itself holds for a result, made ready."""
    if condition in (Always(), AnyOf(())):
        is_always = condition == Always()
        return lambda _: is_always
    check, named = _compiled(condition), frozenset(_labels_named(condition))
    return lambda result: check(_shown(result, named), result) is not None


def _compiled(condition: Condition) -> _Check:
    match condition:
        case Always():
            return lambda *_: []
        case LabelHolds():
            return _compiled_label(condition)
        case EntityPresent():
            return lambda _, result: [] if condition.holds_for(result.entities) else None
        case UserPropertyHolds(name=name):
            return lambda _, result: [] if condition.holds_for(result.comment.user_properties.get(name)) else None
        case Not(part=part):
            return _compiled_not(_compiled(part))
        case AllOf(parts=parts):
            return _compiled_all(tuple(_compiled(part) for part in parts))
        case AnyOf(parts=parts):
            return _compiled_any(tuple(_compiled(part) for part in parts))
        case _:
            assert_never(condition)


def _compiled_label(leaf: LabelHolds) -> _Check:
    if _is_plain(leaf):
        return _compiled_plain(leaf)
    named = _named_by(leaf.pattern)
    probabilities, sentiments = leaf.probability_span, leaf.sentiment_span if leaf.wants_sentiment else None

    def holds_for(prediction: Prediction) -> bool:
        if not probabilities.holds(prediction.probability):
            return False
        return sentiments is None or (prediction.sentiment is not None and sentiments.holds(prediction.sentiment))

    def check(shown: _Shown, result: Result) -> list[MatchedLabel] | None:
        predictions = named(shown, result)
        return [MatchedLabel(each.name, each.probability, leaf.min) for each in predictions if holds_for(each)] or None

    return check


def _is_plain(leaf: LabelHolds) -> bool:
    return is_exact(leaf.pattern) and not leaf.wants_sentiment


def _compiled_plain(leaf: LabelHolds) -> _Check:
    """What nearly all rules are made of, written out: the general form takes three times as long."""
    pattern, least = leaf.pattern, leaf.min
    low, high = leaf.probability_span.low, leaf.probability_span.high

    def check(shown: _Shown, _: Result) -> list[MatchedLabel] | None:
        matched: list[MatchedLabel] = []
        for each in shown.get(pattern, ()):
            probability = each.probability
            if low <= probability <= high:
                matched.append(MatchedLabel(pattern, probability, least))
        return matched or None

    return check


def _named_by(pattern: Label) -> Callable[[_Shown, Result], Sequence[Prediction]]:
    if is_exact(pattern):
        return lambda shown, _: shown.get(pattern, ())
    test = pattern_test(pattern)
    return lambda _, result: [prediction for prediction in result.labels if test(prediction.name)]


def _compiled_not(part: _Check) -> _Check:
    return lambda shown, result: [] if part(shown, result) is None else None


def _compiled_all(parts: tuple[_Check, ...]) -> _Check:
    def check(shown: _Shown, result: Result) -> list[MatchedLabel] | None:
        found: list[MatchedLabel] = []
        for part in parts:
            matched = part(shown, result)
            if matched is None:
                return None
            found += matched
        return found

    return check


def _compiled_any(parts: tuple[_Check, ...]) -> _Check:
    def check(shown: _Shown, result: Result) -> list[MatchedLabel] | None:
        held = [matched for part in parts if (matched := part(shown, result)) is not None]
        return [label for matched in held for label in matched] if held else None

    return check
