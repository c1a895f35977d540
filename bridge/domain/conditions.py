"""What a route can ask of a result, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from bridge.domain.model import Entity, Label

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

    With nothing given it must be there and not null. Numbers compare as numbers: 12000 is 12000.0.
    """

    name: str
    one_of: tuple[str | float, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None

    def holds_for(self, value: PropertyValue) -> bool:
        """Whether this value (None where the comment has none) satisfies it."""
        if value is None or (self.one_of is not None and not _is_one_of(value, self.one_of)):
            return False
        if self.minimum is None and self.maximum is None:
            return True
        if isinstance(value, (bool, str)):
            return False
        # compared one by one: an integer can be larger than any float, and NaN must fail both
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)


def _is_one_of(value: str | float | bool, wanted: tuple[str | float, ...]) -> bool:
    # True equals 1 in Python; on the wire it does not
    return not isinstance(value, bool) and value in wanted


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
