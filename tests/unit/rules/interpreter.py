"""The rules once more, slow and obvious: no index, nothing compiled, each sentence of the contract as one line.

Shares only the data types with the product; a misreading in one is not repeated in the other.
"""

from __future__ import annotations

import math
import re

from bridge.domain.model import Label
from bridge.domain.rules import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    EntityPresent,
    LabelHolds,
    MatchMode,
    Not,
    Route,
    UserPropertyHolds,
)
from tests.unit.rules.results import FakePrediction, FakeResult

Matched = tuple[Label, float, float]


def routes_that_hold(routes: list[Route], mode: MatchMode, result: FakeResult) -> list[tuple[str, list[Matched]]]:
    held = [route for route in routes if holds(route.when, result)]
    if mode is MatchMode.FIRST:
        live = [route for route in held if not route.shadow]
        if live:
            held = held[: held.index(live[0]) + 1]
    return [(route.name, once_each(matched(route.when, result))) for route in held]


def once_each(found: list[Matched]) -> list[Matched]:
    return [item for place, item in enumerate(found) if item not in found[:place]]


def holds(condition: Condition, result: FakeResult) -> bool:
    if isinstance(condition, Always):
        return True
    if isinstance(condition, AllOf):
        return all(holds(part, result) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return any(holds(part, result) for part in condition.parts)
    if isinstance(condition, Not):
        return not holds(condition.part, result)
    if isinstance(condition, EntityPresent):
        return any(entity.kind == condition.kind or entity.name == condition.kind for entity in result.entities)
    if isinstance(condition, UserPropertyHolds):
        return property_holds(condition, result)
    return any(prediction_satisfies(condition, prediction) for prediction in result.labels)


def matched(condition: Condition, result: FakeResult) -> list[Matched]:
    """What a condition that holds rests on."""
    if isinstance(condition, (AllOf, AnyOf)):
        return [found for part in condition.parts if holds(part, result) for found in matched(part, result)]
    if isinstance(condition, LabelHolds):
        satisfying = [each for each in result.labels if prediction_satisfies(condition, each)]
        return [(each.name, each.probability, condition.min) for each in satisfying]
    return []


def prediction_satisfies(condition: LabelHolds, prediction: FakePrediction) -> bool:
    if not pattern_names(condition.pattern, prediction.name):
        return False
    if not lies(prediction.probability, condition.min, condition.max, 0, 1):
        return False
    if condition.sentiment_min is None and condition.sentiment_max is None:
        return True
    if prediction.sentiment is None:
        return False
    low = -1 if condition.sentiment_min is None else condition.sentiment_min
    high = 1 if condition.sentiment_max is None else condition.sentiment_max
    return lies(prediction.sentiment, low, high, -1, 1)


def lies(value: float, low: float, high: float, floor: float, ceiling: float) -> bool:
    """A finite value counts as the nearest one that can be; so do the limits."""
    if not math.isfinite(value):
        return False
    value, low, high = (min(max(each, floor), ceiling) for each in (value, low, high))
    return low <= value <= high


def pattern_names(pattern: Label, label: Label) -> bool:
    """By regular expression over the levels, each spelled as one letter of its own."""
    letters = {level: chr(0x100 + place) for place, level in enumerate(sorted({*pattern, *label}))}
    spelled = {"*": ".", "**": ".*"}
    expression = "".join(spelled.get(level, letters[level]) for level in pattern)
    return re.fullmatch(expression, "".join(letters[level] for level in label)) is not None


def property_holds(condition: UserPropertyHolds, result: FakeResult) -> bool:
    value = result.comment.user_properties.get(condition.name)
    if value is None:
        return False
    if condition.one_of is not None and not any(same(value, wanted) for wanted in condition.one_of):
        return False
    if condition.minimum is None and condition.maximum is None:
        return True
    if isinstance(value, (bool, str)) or not math.isfinite(value):
        return False
    if condition.minimum is not None and not value >= condition.minimum:
        return False
    return not (condition.maximum is not None and not value <= condition.maximum)


def same(value: object, wanted: str | float) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, str) == isinstance(wanted, str) and value == wanted
