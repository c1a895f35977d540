"""The shape of `when`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from bridge.app.config.shape import (
    MARK,
    Closed,
    LabelPattern,
    Number,
    Probability,
    PropertyValues,
    Sentiment,
    Text,
)

KINDS = ("all", "any", "not", "label", "entity", "user_property", "always")


class SentimentRange(Closed):
    """Both ends belong to the range. A prediction without sentiment lies in none."""

    min: Sentiment | None = None
    """-1 to 1."""
    max: Sentiment | None = None
    """-1 to 1."""

    @model_validator(mode="after")
    def _in_order(self) -> SentimentRange:
        _check_order(self.min, self.max)
        return self


class LabelCondition(Closed):
    """Some prediction under the label lies in the ranges."""

    label: LabelPattern
    """As the platform shows it, levels joined by ` > `, or a list of levels; `*` is one level, `**` any number."""
    min: Probability = 0.0
    """The least probability, inclusive."""
    max: Probability = 1.0
    """The greatest probability, inclusive."""
    sentiment: SentimentRange | None = None
    """The sentiment of the same prediction."""

    @model_validator(mode="after")
    def _in_order(self) -> LabelCondition:
        _check_order(self.min, self.max)
        return self


class EntityCondition(Closed):
    """Some entity has this kind, or this name."""

    entity: Text
    """Such as `monetary-quantity`."""


class UserPropertyCondition(Closed):
    """A user property has a value that satisfies all that is given; with nothing given it must be there."""

    user_property: Text
    """The full name with its type, such as `string:Country` or `number:Amount`."""
    one_of: PropertyValues | None = None
    """Texts are compared letter by letter, numbers as numbers."""
    min: Number | None = None
    """The least number, inclusive."""
    max: Number | None = None
    """The greatest number, inclusive."""

    @model_validator(mode="after")
    def _in_order(self) -> UserPropertyCondition:
        _check_order(self.min, self.max)
        return self


class AlwaysCondition(Closed):
    """Every result."""

    always: Literal[True]


class AllCondition(Closed):
    """Every part holds; of no parts it holds."""

    parts: list[When] = Field(alias="all")


class AnyCondition(Closed):
    """Some part holds."""

    parts: Annotated[list[When], Field(min_length=1)] = Field(alias="any")


class NotCondition(Closed):
    """The part does not hold."""

    part: When = Field(alias="not")


def _kind(value: object) -> str | None:
    """The one key that says what a condition is."""
    found = [kind for kind in KINDS if kind in value] if isinstance(value, dict) else []
    return MARK + found[0] if len(found) == 1 else None


def no_condition(value: object) -> str:
    """Why there is no such key."""
    if not isinstance(value, dict):
        return "a condition is a mapping such as {label: Trade, min: 0.8}"
    found = [kind for kind in KINDS if kind in value]
    if not found:
        return f"a condition needs one of {', '.join(KINDS)}"
    return f"a condition is one thing, this one is {' and '.join(found)}: join several under `all` or `any`"


def _check_order(low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        sentence = f"min {low:g} is above max {high:g}: nothing lies between"
        raise PydanticCustomError("min_above_max", "{sentence}", {"sentence": sentence, "key": "min"})


When = Annotated[
    Annotated[AllCondition, Tag(MARK + "all")]
    | Annotated[AnyCondition, Tag(MARK + "any")]
    | Annotated[NotCondition, Tag(MARK + "not")]
    | Annotated[LabelCondition, Tag(MARK + "label")]
    | Annotated[EntityCondition, Tag(MARK + "entity")]
    | Annotated[UserPropertyCondition, Tag(MARK + "user_property")]
    | Annotated[AlwaysCondition, Tag(MARK + "always")],
    Discriminator(_kind),
]

for each in (AllCondition, AnyCondition, NotCondition):
    each.model_rebuild()
