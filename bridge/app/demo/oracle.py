"""What must land where, decided without the engine: the platform's own predictions against the routes as written.

Deliberately a second, slow reading of design section 5, so that a mistake in the compiled rules
cannot agree with itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bridge.app.demo.scenario import Scenario, When
from bridge.domain.model import Label

UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """One result that the platform says the trigger will deliver."""

    sequence_id: str
    uid: str
    created_at: str
    labels: tuple[tuple[Label, float], ...]
    entities: frozenset[str]
    user_properties: Mapping[str, object]


class Place(NamedTuple):
    """A result on a route: one record must be there."""

    sequence_id: str
    route: str
    topic: str


def places(promised: Iterable[Promised], scenario: Scenario) -> Iterator[Place]:
    """Every record there must be, in the order of the trigger."""
    live = [route for route in scenario.routes if not route.shadow]
    for result in promised:
        held = [route for route in live if holds(route.when, result)]
        for route in held:
            yield Place(result.sequence_id, route.name, route.topic)
        if not held:
            yield Place(result.sequence_id, UNMATCHED, scenario.unmatched_topic)


def holds(when: When, result: Promised) -> bool:
    """Whether a condition holds. Raises KeyError for a kind this reader does not know."""
    for kind, value in when.items():
        if kind not in _OPTIONS:
            return _READERS[kind](when, value, result)
    raise KeyError(f"no condition in {sorted(when)}")


_OPTIONS = frozenset({"min", "max", "one_of"})


def _parts(value: object) -> Sequence[When]:
    assert isinstance(value, Sequence)
    return value


def _negated(_: When, part: object, result: Promised) -> bool:
    assert isinstance(part, Mapping)
    return not holds(part, result)


def _label(when: When, value: object, result: Promised) -> bool:
    pattern = tuple(value.split(" > ")) if isinstance(value, str) else tuple(map(str, _parts(value)))
    low, high = _number(when.get("min", 0)), _number(when.get("max", 1))
    return any(low <= chance <= high for label, chance in result.labels if _falls_under(label, pattern))


def _falls_under(label: Label, pattern: Label) -> bool:
    if not pattern:
        return not label
    if pattern[0] == "**":
        return any(_falls_under(label[skipped:], pattern[1:]) for skipped in range(len(label) + 1))
    return bool(label) and pattern[0] in ("*", label[0]) and _falls_under(label[1:], pattern[1:])


def _property(when: When, name: object, result: Promised) -> bool:
    shown = result.user_properties.get(str(name))
    wanted = when.get("one_of")
    return shown is not None and (wanted is None or shown in _parts(wanted))


def _number(value: object) -> float:
    assert isinstance(value, (int, float))
    return float(value)


_READERS: Mapping[str, Callable[[When, object, Promised], bool]] = {
    "all": lambda _, parts, result: all(holds(part, result) for part in _parts(parts)),
    "any": lambda _, parts, result: any(holds(part, result) for part in _parts(parts)),
    "not": _negated,
    "label": _label,
    "entity": lambda _, kind, result: kind in result.entities,
    "user_property": _property,
    "always": lambda _, wanted, __: bool(wanted),
}
