"""Explanations as text for people and as JSON for the command line and the admin API."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import assert_never

from bridge.domain.conditions import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    EntityPresent,
    LabelHolds,
    Not,
    UserPropertyHolds,
)
from bridge.domain.explained import (
    Explained,
    Explanation,
    LabelSeen,
    RouteExplained,
    Seen,
    explain,
)
from bridge.domain.flip import Change, Flip
from bridge.domain.labels import spelled
from bridge.domain.spoken import flip_sentence, sentence

__all__ = ["Explanation", "explain", "explanation_as_json", "explanation_as_text"]


def explanation_as_text(explanation: Explanation) -> str:
    """Some lines: where it goes, then each route with its parts, `+` where one holds and `-` where it does not."""
    live = [match.route for match in explanation.matches if not match.route.shadow]
    goes = ", ".join(f"{route.name} ({route.topic})" for route in live) or "no route: unmatched"
    lines = [f"{explanation.uid} goes to {goes}"]
    for route in explanation.routes:
        lines += _route_lines(route)
    return "\n".join(lines)


def _route_lines(explained: RouteExplained) -> Iterator[str]:
    route = explained.route
    shadow = ", shadow" if route.shadow else ""
    yield f"  {_verdict(explained)}: {route.name} -> {route.topic}{shadow}"
    yield from _lines(explained.why, depth=2)
    if explained.why.flip:
        yield f"    to {'stop' if explained.why.holds else 'hold'}: {flip_sentence(explained.why.flip)}"


def _verdict(explained: RouteExplained) -> str:
    if not explained.why.holds:
        return "does not hold"
    return "holds" if explained.taken else "holds, but an earlier route came first"


def _lines(explained: Explained, depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}{'+' if explained.holds else '-'} {sentence(explained)}"
    for part in explained.parts:
        yield from _lines(part, depth + 1)


def explanation_as_json(explanation: Explanation) -> dict[str, object]:
    """Only what JSON can hold: a number that is none becomes its text."""
    return {
        "uid": explanation.uid,
        "sequence_id": explanation.sequence_id,
        "unmatched": explanation.is_unmatched,
        "topics": list(dict.fromkeys(match.route.topic for match in explanation.matches if not match.route.shadow)),
        "routes": [_route_as_json(route) for route in explanation.routes],
    }


def _route_as_json(explained: RouteExplained) -> dict[str, object]:
    route, taken = explained.route, explained.taken
    return {
        "name": route.name,
        "topic": route.topic,
        "shadow": route.shadow,
        "holds": explained.why.holds,
        "taken": taken is not None,
        "matched": [
            {"label": list(each.label), "probability": each.probability, "min": each.min}
            for each in (taken.matched if taken else ())
        ],
        "why": _explained_as_json(explained.why),
    }


def _explained_as_json(explained: Explained) -> dict[str, object]:
    return {
        "condition": _kind(explained.condition),
        "text": sentence(explained),
        "holds": explained.holds,
        **({"seen": _seen_as_json(explained.seen)} if _is_leaf(explained.condition) else {}),
        **({"parts": [_explained_as_json(part) for part in explained.parts]} if explained.parts else {}),
        "flip": _flip_as_json(explained.flip),
        "flip_text": flip_sentence(explained.flip),
    }


def _kind(condition: Condition) -> str:
    match condition:
        case Always():
            return "always"
        case LabelHolds():
            return "label"
        case EntityPresent():
            return "entity"
        case UserPropertyHolds():
            return "user_property"
        case Not():
            return "not"
        case AllOf():
            return "all"
        case AnyOf():
            return "any"
        case _:
            assert_never(condition)


def _is_leaf(condition: Condition) -> bool:
    return isinstance(condition, (LabelHolds, EntityPresent, UserPropertyHolds))


def _seen_as_json(seen: Seen) -> object:
    if not isinstance(seen, tuple):
        return _finite(seen)
    return [_label_as_json(each) if isinstance(each, LabelSeen) else each for each in seen]


def _label_as_json(seen: LabelSeen) -> dict[str, object]:
    return {
        "label": list(seen.prediction.name),
        "text": spelled(seen.prediction.name),
        "probability": _finite(seen.prediction.probability),
        "sentiment": _finite(seen.prediction.sentiment),
        "satisfies": seen.satisfies,
    }


def _flip_as_json(flip: Flip | None) -> list[dict[str, object]] | None:
    return None if flip is None else [_change_as_json(change) for change in flip]


def _change_as_json(change: Change) -> dict[str, object]:
    bound = list(change.bound) if isinstance(change.bound, tuple) else change.bound
    return {"subject": change.subject, "relation": change.relation.value, "bound": bound, "by": change.by}


def _finite(value: str | float | bool | None) -> str | float | bool | None:
    return str(value) if isinstance(value, float) and not isfinite(value) else value
