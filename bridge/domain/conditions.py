"""What a route can ask of a result, as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard

from bridge.domain.model import Entity, Label, Prediction

PropertyValue: TypeAlias = str | float | int | bool | None

_FINITE_MAX = 1.7976931348623157e308


@dataclass(frozen=True, slots=True)
class Span:
    """A closed interval. NaN and the infinities lie in none."""

    low: float = -_FINITE_MAX
    high: float = _FINITE_MAX

    @classmethod
    def within(cls, low: float | None, high: float | None, floor: float, ceiling: float) -> Span:
        """A span over values that should lie in floor..ceiling: a limit at an end of that range is no limit.

        A model's 1.0000001 is its 1; it must not fall out of a route that set no upper limit.
        """
        return cls(
            -_FINITE_MAX if low is None or low <= floor else low,
            _FINITE_MAX if high is None or high >= ceiling else high,
        )

    def holds(self, value: float) -> bool:
        """Both ends belong to it."""
        return self.low <= value <= self.high

    @property
    def has_low(self) -> bool:
        """Whether there is a value too small for it."""
        return self.low > -_FINITE_MAX

    @property
    def has_high(self) -> bool:
        """Whether there is a value too large for it."""
        return self.high < _FINITE_MAX

    @staticmethod
    def measures(value: float) -> bool:
        """Whether a value has a distance to it: no NaN, no infinity, no integer that no float can hold."""
        return -_FINITE_MAX <= value <= _FINITE_MAX


@dataclass(frozen=True, slots=True)
class Always:
    """Every result."""


@dataclass(frozen=True, slots=True)
class LabelHolds:
    """Some prediction under `pattern` lies in `min`..`max`, and in the sentiment range where one is given.

    A prediction without sentiment satisfies no sentiment range. One prediction must satisfy both ranges.
    """

    pattern: Label
    min: float = 0.0
    max: float = 1.0
    sentiment_min: float | None = None
    sentiment_max: float | None = None

    @property
    def wants_sentiment(self) -> bool:
        """Whether a sentiment range is given."""
        return self.sentiment_min is not None or self.sentiment_max is not None

    @property
    def probability_span(self) -> Span:
        """The wanted probabilities."""
        return Span.within(self.min, self.max, 0.0, 1.0)

    @property
    def sentiment_span(self) -> Span:
        """The wanted sentiments."""
        return Span.within(self.sentiment_min, self.sentiment_max, -1.0, 1.0)

    def holds_for(self, prediction: Prediction) -> bool:
        """Whether this prediction lies in the ranges; its name is not looked at."""
        if not self.probability_span.holds(prediction.probability):
            return False
        if not self.wants_sentiment:
            return True
        return prediction.sentiment is not None and self.sentiment_span.holds(prediction.sentiment)


@dataclass(frozen=True, slots=True)
class EntityPresent:
    """Some entity is of this kind, or has it as its name (today's platform names fields, old ones only have kinds)."""

    kind: str

    def holds_for(self, entities: Iterable[Entity]) -> bool:
        """Whether one of these is meant."""
        return any(self.kind in (entity.kind, entity.name) for entity in entities)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPropertyHolds:
    """A user property, named with its type prefix, has a value that satisfies all that is given here.

    With nothing given it must be there and not null. Numbers compare as numbers: 12000 is 12000.0. NaN, the infinities
    and integers that no float can hold lie in no range.
    """

    name: str
    one_of: tuple[str | float, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def span(self) -> Span | None:
        """The wanted numbers; None where no limit is given."""
        if self.minimum is None and self.maximum is None:
            return None
        return Span(
            -_FINITE_MAX if self.minimum is None else self.minimum,
            _FINITE_MAX if self.maximum is None else self.maximum,
        )

    def names(self, value: PropertyValue) -> bool:
        """Whether a value is one of those that are named, where some are."""
        # True equals 1 in Python; on the wire it does not
        return self.one_of is None or (not isinstance(value, bool) and value in self.one_of)

    def holds_for(self, value: PropertyValue) -> bool:
        """Whether this value (None where the comment has none) satisfies it."""
        if value is None or not self.names(value):
            return False
        return self.span is None or (is_number(value) and self.span.holds(value))


def is_number(value: PropertyValue) -> TypeGuard[int | float]:
    """Whether a value compares as a number; a boolean does not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; with no parts it holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some part holds; with no parts it does not."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


Condition: TypeAlias = AllOf | AnyOf | Not | LabelHolds | EntityPresent | UserPropertyHolds | Always

Way: TypeAlias = tuple[tuple[AllOf | AnyOf | Not, int], ...]
"""From a route's condition down to one of its parts: what was entered, and by which part."""


def label_leaves(condition: Condition, way: Way = ()) -> Iterator[tuple[Way, LabelHolds]]:
    """Every condition on a label in it, in their order, with the way to each."""
    match condition:
        case LabelHolds():
            yield way, condition
        case Not(part=part):
            yield from label_leaves(part, (*way, (condition, 0)))
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for place, part in enumerate(parts):
                yield from label_leaves(part, (*way, (condition, place)))
        case _:
            return
