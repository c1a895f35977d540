"""What would have to be different for a condition to turn over, and by how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from bridge.domain.conditions import EntityPresent, LabelHolds, PropertyValue, Span, UserPropertyHolds, is_number
from bridge.domain.labels import spelled
from bridge.domain.model import Entity, Prediction

WHOLE_STEP = 1.0
"""What a change costs that is no matter of degree (an entity, a label nobody predicted)."""


class Relation(Enum):
    """How the changed value stands to `bound`. PRESENT has one where any value would not do."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    UNDER = "under"
    OVER = "over"
    PRESENT = "present"
    ABSENT = "absent"
    ONE_OF = "one_of"
    NONE_OF = "none_of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `by` is the distance to `bound`, None where there is nothing to measure."""

    subject: str
    relation: Relation
    bound: float | tuple[str | float, ...] | None = None
    by: float | None = None
    in_degrees: bool = False

    @property
    def cost(self) -> float:
        """Its weight when the cheapest is sought: probabilities and sentiments by distance, all else whole steps."""
        return WHOLE_STEP if self.by is None or not self.in_degrees else self.by


Flip: TypeAlias = tuple[Change, ...]
"""Changes that together turn a condition over."""


def cost(flip: Flip) -> float:
    """The sum of its changes."""
    return sum(change.cost for change in flip)


def cheapest(flips: Iterable[Flip | None]) -> Flip | None:
    """The first of the cheapest; None where nothing can be done."""
    return min((flip for flip in flips if flip is not None), key=cost, default=None)


def together(flips: Sequence[Flip | None]) -> Flip | None:
    """All of them; None where one is impossible. Conditions are taken one by one, as if none shared a label."""
    if any(flip is None for flip in flips):
        return None
    return tuple(dict.fromkeys(change for flip in flips if flip is not None for change in flip))


def flip_of_label(leaf: LabelHolds, named: Sequence[Prediction], satisfying: Sequence[Prediction]) -> Flip:
    """`named` are the predictions under the pattern, `satisfying` those among them that hold."""
    if satisfying:
        return together([cheapest(_ways_out(leaf, each)) for each in satisfying]) or ()
    nobody = _present(f"label {spelled(leaf.pattern)}", leaf.probability_span)
    return cheapest([*(_way_in(leaf, each) for each in named), (nobody,)]) or ()


def _way_in(leaf: LabelHolds, prediction: Prediction) -> Flip:
    label = f"label {spelled(prediction.name)}"
    changes = [_into(leaf.probability_span, prediction.probability, label)]
    if leaf.wants_sentiment:
        changes.append(_into(leaf.sentiment_span, prediction.sentiment, f"sentiment of {label}"))
    return tuple(change for change in changes if change is not None)


def _ways_out(leaf: LabelHolds, prediction: Prediction) -> Iterable[Flip]:
    label = f"label {spelled(prediction.name)}"
    yield from _out_of(leaf.probability_span, prediction.probability, label)
    if leaf.wants_sentiment and prediction.sentiment is not None:
        yield from _out_of(leaf.sentiment_span, prediction.sentiment, f"sentiment of {label}")
    yield (Change(subject=label, relation=Relation.ABSENT),)


def flip_of_entity(leaf: EntityPresent, entities: Sequence[Entity]) -> Flip:
    """It must come, or go."""
    relation = Relation.ABSENT if leaf.holds_for(entities) else Relation.PRESENT
    return (Change(subject=f"entity {leaf.kind}", relation=relation),)


def flip_of_property(leaf: UserPropertyHolds, value: PropertyValue) -> Flip:
    """What must be different about the one value."""
    subject = f"user property {leaf.name}"
    if leaf.holds_for(value):
        return _property_out(leaf, value, subject)
    if leaf.one_of is not None and not leaf.names(value):
        return (Change(subject=subject, relation=Relation.ONE_OF, bound=leaf.one_of),)
    wanted = _into(leaf.span or Span(), value if is_number(value) else None, subject, in_degrees=False)
    return (wanted,) if wanted else ()


def _property_out(leaf: UserPropertyHolds, value: PropertyValue, subject: str) -> Flip:
    if leaf.span is not None and is_number(value):
        ways = list(_out_of(leaf.span, value, subject, in_degrees=False))
        if ways:
            return min(ways, key=lambda way: way[0].by or 0.0)
    if leaf.one_of is not None:
        return (Change(subject=subject, relation=Relation.NONE_OF, bound=leaf.one_of),)
    return (Change(subject=subject, relation=Relation.ABSENT),)


def _into(span: Span, value: float | None, subject: str, *, in_degrees: bool = True) -> Change | None:
    """None where the value lies in the span already."""
    if value is None or not span.measures(value):
        return _present(subject, span)
    if value < span.low:
        return _move(subject, Relation.AT_LEAST, span.low, span.low - value, in_degrees)
    if value > span.high:
        return _move(subject, Relation.AT_MOST, span.high, value - span.high, in_degrees)
    return None


def _out_of(span: Span, value: float, subject: str, *, in_degrees: bool = True) -> Iterable[Flip]:
    if span.has_low:
        yield (_move(subject, Relation.UNDER, span.low, value - span.low, in_degrees),)
    if span.has_high:
        yield (_move(subject, Relation.OVER, span.high, span.high - value, in_degrees),)


def _present(subject: str, span: Span) -> Change:
    bound = span.low if span.has_low else span.high if span.has_high else None
    return Change(subject=subject, relation=Relation.PRESENT, bound=bound)


def _move(subject: str, relation: Relation, bound: float, by: float, in_degrees: bool) -> Change:
    return Change(subject=subject, relation=relation, bound=bound, by=by, in_degrees=in_degrees)
