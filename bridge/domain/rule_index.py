"""Finds the rules that can hold for a result without looking at the others.

Every condition is reduced to what a result must *show* for it to hold: one of some signs (a label, a label's first or
last levels, an entity, a user property or its value). Rules stand in a dictionary under their signs, so a rule whose
signs a result does not show costs that result nothing. Rules that can hold without any sign are always looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
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
from bridge.domain.labels import is_exact, literal_prefix, literal_suffix
from bridge.domain.model import Entity, Label, Prediction


class SignKind(Enum):
    """What of a result is looked at."""

    LABEL = "label"
    LABEL_PREFIX = "label_prefix"
    LABEL_SUFFIX = "label_suffix"
    ENTITY = "entity"
    PROPERTY = "property"
    PROPERTY_VALUE = "property_value"


Sign: TypeAlias = tuple[SignKind, Label | str | tuple[str, str | float]]
Signs: TypeAlias = frozenset[Sign]
"""A result for which the condition holds shows at least one of these."""


def necessary_signs(condition: Condition) -> list[Signs]:
    """Alternatives, each of them necessary by itself; none where the condition can hold without any sign."""
    match condition:
        case LabelHolds(pattern=pattern):
            return _label_signs(pattern)
        case EntityPresent(kind=kind):
            return [frozenset({(SignKind.ENTITY, kind)})]
        case UserPropertyHolds():
            return [_property_signs(condition)]
        case AllOf(parts=parts):
            return [signs for part in parts for signs in necessary_signs(part)]
        case AnyOf(parts=parts):
            return _signs_of_any(parts)
        case Not() | Always():
            return []
        case _:
            assert_never(condition)


def _label_signs(pattern: Label) -> list[Signs]:
    if is_exact(pattern):
        return [frozenset({(SignKind.LABEL, pattern)})]
    return [
        frozenset({(SignKind.LABEL_PREFIX, literal_prefix(pattern))}),
        frozenset({(SignKind.LABEL_SUFFIX, literal_suffix(pattern))}),
    ]


def _property_signs(condition: UserPropertyHolds) -> Signs:
    if condition.one_of is None:
        return frozenset({(SignKind.PROPERTY, condition.name)})
    return frozenset((SignKind.PROPERTY_VALUE, (condition.name, value)) for value in condition.one_of)


def _signs_of_any(parts: tuple[Condition, ...]) -> list[Signs]:
    alternatives = [necessary_signs(part) for part in parts]
    if not all(alternatives):
        return []
    # fewer signs are fewer places to stand in; of a pattern's two ends the longer one says more
    return [frozenset().union(*(min(each, key=_vagueness) for each in alternatives))]


def _vagueness(signs: Signs) -> tuple[int, int]:
    return len(signs), -max((len(sign) for kind, sign in signs if kind is not SignKind.ENTITY), default=0)


class RuleIndex:
    """Rules by their place in a list. Built once; asking it changes nothing."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        """Put each condition under the signs that it shares with the fewest others."""
        alternatives = [necessary_signs(condition) for condition in conditions]
        shared = Counter(sign for each in alternatives for signs in each for sign in signs)
        places: dict[SignKind, _Places] = {kind: {} for kind in SignKind}
        for place, each in enumerate(alternatives):
            for kind, sign in min(each, key=lambda signs: sum(shared[sign] for sign in signs), default=()):
                places[kind].setdefault(sign, []).append(place)
        self._always = [place for place, each in enumerate(alternatives) if not each]
        self._by_label = places[SignKind.LABEL]
        self._by_prefix = _by_length(places[SignKind.LABEL_PREFIX])
        self._by_suffix = _by_length(places[SignKind.LABEL_SUFFIX])
        self._by_entity = places[SignKind.ENTITY]
        self._by_property = places[SignKind.PROPERTY]
        self._by_value = places[SignKind.PROPERTY_VALUE]

    def candidates(
        self,
        named: Iterable[Label],
        predictions: Iterable[Prediction],
        entities: Iterable[Entity],
        properties: Mapping[str, PropertyValue],
    ) -> list[int]:
        """The places of all rules that can hold, in their order. `named` are the labels that a rule may stand under."""
        found = list(self._always)
        for label in named:
            found += self._by_label.get(label, ())
        if self._by_prefix or self._by_suffix:
            for prediction in predictions:
                self._add_by_pattern(prediction.name, found)
        if self._by_entity:
            for entity in entities:
                found += self._by_entity.get(entity.kind, ())
                found += self._by_entity.get(entity.name, ())
        if self._by_property or self._by_value:
            self._add_by_property(properties, found)
        return sorted(set(found)) if len(found) > 1 else found

    def _add_by_property(self, properties: Mapping[str, PropertyValue], found: list[int]) -> None:
        for name, value in properties.items():
            found += self._by_property.get(name, ())
            found += self._by_value.get((name, value), ())

    def _add_by_pattern(self, label: Label, found: list[int]) -> None:
        for length, by_prefix in self._by_prefix:
            found += by_prefix.get(label[:length], ())
        for length, by_suffix in self._by_suffix:
            found += by_suffix.get(label[-length:] if length else (), ())


_Places: TypeAlias = dict[object, list[int]]


def _by_length(places: _Places) -> list[tuple[int, _Places]]:
    """A label is cut once for each length there is; one that is too short is cut to itself and meets nothing."""
    levels = [sign for sign in places if isinstance(sign, tuple)]
    lengths = sorted({len(sign) for sign in levels})
    return [(length, {sign: places[sign] for sign in levels if len(sign) == length}) for length in lengths]
