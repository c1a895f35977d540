"""Conditions, what they saw and what would turn them over, as a line each for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from bridge.domain.conditions import (
    AllOf,
    Always,
    AnyOf,
    EntityPresent,
    LabelHolds,
    Not,
    PropertyValue,
    Span,
    UserPropertyHolds,
    is_number,
)
from bridge.domain.explained import Explained, LabelSeen, Seen
from bridge.domain.flip import Change, Flip, Relation
from bridge.domain.labels import is_exact, spelled

DECIMALS_MIN, DECIMALS_MAX = 2, 17


def sentence(explained: Explained) -> str:
    """What the condition asks, what it saw and how far that is from turning over."""
    match explained.condition:
        case Always():
            return "always"
        case LabelHolds() as leaf:
            return _label(leaf, [each for each in _items(explained.seen) if isinstance(each, LabelSeen)])
        case EntityPresent(kind=kind):
            return f"entity {kind} {'present' if explained.holds else f'not found{_others(explained.seen)}'}"
        case UserPropertyHolds() as leaf:
            return _property(leaf, None if isinstance(explained.seen, tuple) else explained.seen, explained.holds)
        case Not():
            return "not"
        case AllOf():
            return f"all: {_count(explained, holding=False)}"
        case AnyOf():
            return f"any: {_count(explained, holding=True)}"
        case _:
            assert_never(explained.condition)


def flip_sentence(flip: Flip | None) -> str:
    """What would turn a condition over; empty where nothing can."""
    return " and ".join(_change(change) for change in flip or ())


def _items(seen: Seen) -> tuple[object, ...]:
    return seen if isinstance(seen, tuple) else ()


def _others(seen: Seen) -> str:
    others = [str(each) for each in _items(seen) if each]
    return f" among {', '.join(others)}" if others else ""


def _count(explained: Explained, *, holding: bool) -> str:
    parts = [part for part in explained.parts if part.holds is holding]
    return f"{len(parts)} of {len(explained.parts)} {'hold' if holding else 'fail'}"


def _label(leaf: LabelHolds, seen: Sequence[LabelSeen]) -> str:
    subject = f"label {spelled(leaf.pattern)}"
    if not seen:
        needs = _needs(leaf.probability_span)
        return f"{subject} not predicted" + (f", needs {needs}" if needs else "")
    telling = min(seen, key=lambda each: (not each.satisfies, _miss(leaf, each))).prediction
    name = subject if is_exact(leaf.pattern) else f"{subject}: {spelled(telling.name)}"
    said = f"{name} {_measured(leaf.probability_span, telling.probability)}"
    if leaf.wants_sentiment:
        said += f"; sentiment {_measured(leaf.sentiment_span, telling.sentiment, least='at least ')}"
    return said if len(seen) == 1 else f"{said} (and {len(seen) - 1} more)"


def _miss(leaf: LabelHolds, seen: LabelSeen) -> float:
    """How far a prediction is from satisfying: the one that satisfies with most to spare, or misses by least, tells."""
    span, probability = leaf.probability_span, seen.prediction.probability
    if not span.measures(probability):
        return float("inf")
    margin, _ = _margin(span, probability)
    return -margin if seen.satisfies else margin


def _measured(span: Span, value: float | None, least: str = "") -> str:
    """A value against its span: `0.73, needs 0.80: 0.07 short`."""
    if value is None:
        return f"missing, needs {_needs(span, least=least) or 'one'}"
    if not span.measures(value):
        return f"{value}, which is no number"
    if not (span.has_low or span.has_high):
        return f"{value:.{DECIMALS_MIN}f}"
    margin, word = _margin(span, value)
    decimals = _decimals(span, margin)
    return f"{value:.{decimals}f}, needs {_needs(span, decimals, least)}: {margin:.{decimals}f} {word}"


def _margin(span: Span, value: float) -> tuple[float, str]:
    if value < span.low:
        return span.low - value, "short"
    if value > span.high:
        return value - span.high, "over"
    limits = [abs(value - limit) for limit in _limits(span)]
    return min(limits, default=0.0), "to spare"


def _limits(span: Span) -> list[float]:
    return [limit for limit, there in ((span.low, span.has_low), (span.high, span.has_high)) if there]


def _decimals(span: Span, margin: float) -> int:
    """As few as show the limits exactly and the margin at all: nothing is rounded onto its threshold."""
    for decimals in range(DECIMALS_MIN, DECIMALS_MAX):
        shown = all(round(limit, decimals) == limit for limit in _limits(span))
        if shown and (margin == 0 or round(margin, decimals) > 0):
            return decimals
    return DECIMALS_MAX


def _needs(span: Span, decimals: int | None = None, least: str = "") -> str:
    places = _decimals(span, 0.0) if decimals is None else decimals
    if span.has_low and span.has_high:
        return f"{span.low:.{places}f} to {span.high:.{places}f}"
    if span.has_low:
        return f"{least}{span.low:.{places}f}"
    return f"at most {span.high:.{places}f}" if span.has_high else ""


def _property(leaf: UserPropertyHolds, value: PropertyValue, holds: bool) -> str:
    subject = f"user property {leaf.name}"
    needs = _property_needs(leaf)
    if value is None:
        return f"{subject} missing" + (f", needs {needs}" if needs else "")
    said = f"{subject} is {_plain(value)}"
    if holds:
        return said
    if leaf.span is None or not is_number(value) or not leaf.span.measures(value):
        return f"{said}, needs {needs}"
    margin, word = _margin(leaf.span, value)
    return f"{said}, needs {needs}: {_plain(margin)} {word}"


def _property_needs(leaf: UserPropertyHolds) -> str:
    wanted = []
    if leaf.one_of is not None:
        wanted.append(_either(leaf.one_of))
    if leaf.minimum is not None:
        wanted.append(f"at least {_plain(leaf.minimum)}")
    if leaf.maximum is not None:
        wanted.append(f"at most {_plain(leaf.maximum)}")
    return " and ".join(wanted)


def _change(change: Change) -> str:
    return f"{change.subject} {_becomes(change)}"


def _becomes(change: Change) -> str:
    bound = change.bound if isinstance(change.bound, tuple) else (() if change.bound is None else (change.bound,))
    if change.relation is Relation.PRESENT and bound:
        return f"present at {_either(bound)}"
    return _BECOMES[change.relation].format(by="" if change.by is None else _plain(change.by), bound=_either(bound))


_BECOMES = {
    Relation.AT_LEAST: "{by} higher (at {bound})",
    Relation.AT_MOST: "{by} lower (at {bound})",
    Relation.UNDER: "more than {by} lower (under {bound})",
    Relation.OVER: "more than {by} higher (over {bound})",
    Relation.PRESENT: "present",
    Relation.ABSENT: "absent",
    Relation.ONE_OF: "being {bound}",
    Relation.NONE_OF: "being anything but {bound}",
}


def _either(values: Sequence[str | float]) -> str:
    return " or ".join(_plain(value) for value in values)


def _plain(value: str | float | bool) -> str:
    """A number without the noise of its last bits; text as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
