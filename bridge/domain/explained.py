"""Why a result goes where it goes: each route with what its parts saw, and what would turn it over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from bridge.domain.conditions import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    EntityPresent,
    LabelHolds,
    Not,
    PropertyValue,
    UserPropertyHolds,
)
from bridge.domain.flip import Flip, cheapest, flip_of_entity, flip_of_label, flip_of_property, together
from bridge.domain.labels import pattern_matches
from bridge.domain.model import Prediction, Result, SequenceId
from bridge.domain.rules import Route, RouteMatch, RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSeen:
    """A prediction under the pattern of a label condition."""

    prediction: Prediction
    satisfies: bool


Seen: TypeAlias = tuple[LabelSeen, ...] | tuple[str, ...] | PropertyValue
"""By condition: the predictions under a pattern, the entities there are, the value of a user property."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A condition, whether it holds, and what would turn it over (None: nothing can). `seen` is set on leaves only."""

    condition: Condition
    holds: bool
    flip: Flip | None
    parts: tuple[Explained, ...] = ()
    seen: Seen = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteExplained:
    """A route holds by its own condition; `taken` is the match it became, None where an earlier route came first."""

    route: Route
    why: Explained
    taken: RouteMatch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One result under one rule set."""

    uid: str
    sequence_id: SequenceId
    routes: tuple[RouteExplained, ...]

    @property
    def matches(self) -> list[RouteMatch]:
        """What `RuleSet.matches` says, shadow routes included."""
        return [each.taken for each in self.routes if each.taken is not None]

    @property
    def is_unmatched(self) -> bool:
        """No live route takes it."""
        return all(match.route.shadow for match in self.matches)


def explain(rules: RuleSet, result: Result) -> Explanation:
    """Every route of the set, also those that cannot hold; for people, not for the hot path."""
    taken = {id(match.route): match for match in rules.matches(result)}
    routes = tuple(
        RouteExplained(route=route, why=explained(route.when, result), taken=taken.get(id(route)))
        for route in rules.routes
    )
    return Explanation(uid=result.comment.uid, sequence_id=result.sequence_id, routes=routes)


def explained(condition: Condition, result: Result) -> Explained:
    """One condition with all of its parts, none cut short."""
    match condition:
        case Always():
            return Explained(condition=condition, holds=True, flip=None)
        case LabelHolds():
            return _label(condition, result.labels)
        case EntityPresent():
            seen = tuple(dict.fromkeys(entity.kind or entity.name for entity in result.entities))
            flip = flip_of_entity(condition, result.entities)
            return Explained(condition=condition, holds=condition.holds_for(result.entities), flip=flip, seen=seen)
        case UserPropertyHolds(name=name):
            value = result.comment.user_properties.get(name)
            flip = flip_of_property(condition, value)
            return Explained(condition=condition, holds=condition.holds_for(value), flip=flip, seen=value)
        case Not(part=part):
            inner = explained(part, result)
            return Explained(condition=condition, holds=not inner.holds, flip=inner.flip, parts=(inner,))
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return _several(condition, tuple(explained(part, result) for part in parts))
        case _:
            assert_never(condition)


def _label(leaf: LabelHolds, predictions: Sequence[Prediction]) -> Explained:
    named = [each for each in predictions if pattern_matches(leaf.pattern, each.name)]
    seen = tuple(LabelSeen(prediction=each, satisfies=leaf.holds_for(each)) for each in named)
    satisfying = [each.prediction for each in seen if each.satisfies]
    return Explained(condition=leaf, holds=bool(satisfying), flip=flip_of_label(leaf, named, satisfying), seen=seen)


def _several(condition: AllOf | AnyOf, parts: tuple[Explained, ...]) -> Explained:
    """Failing parts decide `all`, holding ones `any`: these must turn together; where there is none, one will do."""
    decisive = isinstance(condition, AnyOf)
    deciding = [part for part in parts if part.holds is decisive]
    flip = together([part.flip for part in deciding]) if deciding else cheapest(part.flip for part in parts)
    return Explained(condition=condition, holds=bool(deciding) is decisive, flip=flip, parts=parts)
