"""Finds the rules that can hold for a result without looking at the others.

Every condition is reduced to what a result must *show* for it to hold: one of some signs (a label, a label's first or
last levels, an entity, a user property or its value). Rules stand in a dictionary under their signs, so a rule whose
signs a result does not show costs that result nothing. Rules that can hold without any sign are always looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
from bridge.domain.model import Entity, Label


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


@dataclass(slots=True)
class RuleIndex:
    """Rules by their place in a list. Built once; asking it changes nothing."""

    always: list[int] = field(default_factory=list)
    by_sign: dict[SignKind, dict[object, list[int]]] = field(default_factory=lambda: {kind: {} for kind in SignKind})
    prefix_lengths: tuple[int, ...] = ()
    suffix_lengths: tuple[int, ...] = ()

    @classmethod
    def of(cls, conditions: Sequence[Condition]) -> RuleIndex:
        """Put each condition under the signs that it shares with the fewest others."""
        alternatives = [necessary_signs(condition) for condition in conditions]
        shared = Counter(sign for each in alternatives for signs in each for sign in signs)
        index = cls()
        for place, each in enumerate(alternatives):
            if not each:
                index.always.append(place)
                continue
            for kind, sign in min(each, key=lambda signs: sum(shared[sign] for sign in signs)):
                index.by_sign[kind].setdefault(sign, []).append(place)
        index.prefix_lengths = _lengths(index.by_sign[SignKind.LABEL_PREFIX])
        index.suffix_lengths = _lengths(index.by_sign[SignKind.LABEL_SUFFIX])
        return index

    def candidates(
        self, labels: Iterable[Label], entities: Collection[Entity], properties: Mapping[str, PropertyValue]
    ) -> list[int]:
        """The places of all rules that can hold, in their order."""
        found = set(self.always)
        for label in labels:
            self._add_by_label(label, found)
        if entities and (by_entity := self.by_sign[SignKind.ENTITY]):
            for entity in entities:
                found.update(by_entity.get(entity.kind, ()), by_entity.get(entity.name, ()))
        if properties:
            self._add_by_property(properties, found)
        return sorted(found)

    def _add_by_label(self, label: Label, found: set[int]) -> None:
        found.update(self.by_sign[SignKind.LABEL].get(label, ()))
        for length in self.prefix_lengths:
            if length <= len(label):
                found.update(self.by_sign[SignKind.LABEL_PREFIX].get(label[:length], ()))
        for length in self.suffix_lengths:
            if length <= len(label):
                found.update(self.by_sign[SignKind.LABEL_SUFFIX].get(label[len(label) - length :], ()))

    def _add_by_property(self, properties: Mapping[str, PropertyValue], found: set[int]) -> None:
        by_name, by_value = self.by_sign[SignKind.PROPERTY], self.by_sign[SignKind.PROPERTY_VALUE]
        if by_name:
            for name in properties:
                found.update(by_name.get(name, ()))
        if by_value:
            for item in properties.items():
                found.update(by_value.get(item, ()))


def _lengths(by_levels: Mapping[object, object]) -> tuple[int, ...]:
    return tuple(sorted({len(levels) for levels in by_levels if isinstance(levels, tuple)}))
