"""What is to be routed where: the demo's routes as the configuration file spells them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bridge.domain.labels import spelled
from bridge.domain.model import Label

When: TypeAlias = Mapping[str, object]
"""A condition as design section 5 writes it."""

LABEL_ROUTE_MIN = 0.5
SLUG_CHARS_MAX = 200
DEAD_TOPIC = "demo.dead"
UNROUTED_TOPIC = "demo.unrouted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """One route."""

    name: str
    topic: str
    when: When
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One trigger of the demo. `partitions` are those of each of its topics."""

    routes: tuple[RouteSpec, ...]
    key: str
    entity_kinds: tuple[str, ...]
    batch_size: int
    partitions: int
    trigger: str = "mail"
    unmatched_topic: str = UNROUTED_TOPIC
    dead_topic: str = DEAD_TOPIC

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic a result can land on, each once."""
        live = [route.topic for route in self.routes if not route.shadow]
        return tuple(dict.fromkeys([*live, self.unmatched_topic, self.dead_topic]))

    @property
    def asks_for_entities(self) -> bool:
        """Whether some live route can only be judged with a result's entities."""
        return any(_names(route.when, "entity") for route in self.routes if not route.shadow)


def sample_scenario() -> Scenario:
    """A back office: narrow routes for robots, wide ones for desks, one that is only tried out."""
    money = {"entity": "monetary-quantity"}
    no_spam = {"not": {"label": "Spam", "min": 0.5}}
    return Scenario(
        key="comment.thread_id",
        entity_kinds=("monetary-quantity", "date", "percentage", "email", "url"),
        batch_size=64,
        partitions=3,
        routes=(
            RouteSpec(
                name="urgent-disputes",
                topic="demo.disputes.urgent",
                when={"all": [{"label": "Dispute > *", "min": 0.6}, {"label": "Urgent", "min": 0.5}, no_spam, money]},
            ),
            RouteSpec(name="disputes", topic="demo.disputes", when={"label": "Dispute > *", "min": 0.5}),
            RouteSpec(
                name="failed-trades",
                topic="demo.settlements.failed",
                when={"label": "Settlement > Failed", "min": 0.6},
            ),
            RouteSpec(name="settlements", topic="demo.settlements", when={"label": "Settlement > **", "min": 0.5}),
            RouteSpec(
                name="fees",
                topic="demo.fees",
                when={"any": [{"label": "Fees > Refund", "min": 0.5}, {"label": "Fees > Query", "min": 0.6}]},
            ),
            RouteSpec(
                name="complaints-abroad",
                topic="demo.complaints.abroad",
                when={
                    "all": [
                        {"label": "Complaint > *", "min": 0.5},
                        {"not": {"user_property": "string:Country", "one_of": ["uk"]}},
                    ]
                },
            ),
            RouteSpec(name="complaints", topic="demo.complaints", when={"label": "Complaint > *", "min": 0.5}),
            RouteSpec(name="spam", topic="demo.spam", when={"label": "Spam", "min": 0.7}),
            RouteSpec(
                name="delays-next",
                topic="demo.delays.next",
                when={"all": [{"label": "Complaint > Delay", "min": 0.4}, {"label": "Settlement", "min": 0.3}]},
                shadow=True,
            ),
        ),
    )


def label_scenario(labels: Sequence[Label]) -> Scenario:
    """One route and topic per label, all by one threshold."""
    slugs: dict[str, Label] = {}
    for label in labels:
        slugs[_free_slug(label, slugs)] = label
    return Scenario(
        key="comment.uid",
        entity_kinds=(),
        batch_size=256,
        partitions=1,
        routes=tuple(
            RouteSpec(name=slug, topic=f"demo.{slug}", when={"label": list(label), "min": LABEL_ROUTE_MIN})
            for slug, label in slugs.items()
        ),
    )


def _free_slug(label: Label, taken: Mapping[str, Label]) -> str:
    """Differs from those taken, and from the demo's own topics."""
    levels = [re.sub(r"[^a-z0-9]+", "-", level.lower()).strip("-") for level in label]
    slug = ".".join(filter(None, levels))[:SLUG_CHARS_MAX] or "label"
    reserved = {topic.removeprefix("demo.") for topic in (DEAD_TOPIC, UNROUTED_TOPIC)} | {"unmatched", "dead_letter"}
    names = (slug if number == 1 else f"{slug}-{number}" for number in range(1, len(taken) + 3))
    return next(name for name in names if name not in taken and name not in reserved)


def in_words(when: When) -> str:
    """A condition as a person would say it."""
    ((kind, value),) = [(key, value) for key, value in when.items() if key in _WORDS]
    return _WORDS[kind](when, value)


def _joined(word: str, parts: object) -> str:
    assert isinstance(parts, Sequence)
    return f" {word} ".join(in_words(part) if "any" not in part else f"({in_words(part)})" for part in parts)


def _label_in_words(when: When, label: object) -> str:
    name = label if isinstance(label, str) else spelled(tuple(map(str, label))) if isinstance(label, list) else ""
    low = f" ≥ {when['min']}" if "min" in when else ""
    high = f" ≤ {when['max']}" if "max" in when else ""
    return f"{name}{low}{high}"


def _property_in_words(when: When, name: object) -> str:
    wanted = when.get("one_of")
    listed = f" is {' or '.join(map(str, wanted))}" if isinstance(wanted, list) else ""
    return f"{str(name).partition(':')[2]}{listed}"


def _not_in_words(_: When, part: object) -> str:
    assert isinstance(part, Mapping)
    return f"not {in_words(part)}"


_WORDS = {
    "all": lambda _, parts: _joined("and", parts),
    "any": lambda _, parts: _joined("or", parts),
    "not": _not_in_words,
    "label": _label_in_words,
    "entity": lambda _, kind: f"some {kind}",
    "user_property": _property_in_words,
    "always": lambda *_: "always",
}


def _names(when: object, kind: str) -> bool:
    """Whether this kind of condition occurs anywhere in it."""
    if isinstance(when, Mapping):
        return kind in when or any(_names(part, kind) for part in when.values())
    return isinstance(when, list) and any(_names(part, kind) for part in when)
