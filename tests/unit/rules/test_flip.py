"""The promise of an explanation: do to the result what it names, no more, and the condition turns over."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from math import inf, nextafter

from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.domain.explained import explained
from bridge.domain.flip import Change, Flip, Relation, cost
from bridge.domain.labels import levels_of
from bridge.domain.model import Label
from bridge.domain.rules import AllOf, AnyOf, Condition, EntityPresent, LabelHolds, Not, UserPropertyHolds
from tests.unit.rules.results import (
    FakeComment,
    FakeEntity,
    FakePrediction,
    FakeResult,
    Value,
    a_label,
    a_result,
    probabilities,
    sentiments,
    thresholds,
)

# each leaf looks at something of its own: where two share a label the sum of their changes promises nothing
leaves: list[st.SearchStrategy[Condition]] = [
    st.builds(LabelHolds, st.just(("a",)), thresholds),
    st.builds(LabelHolds, st.just(("b", "*")), thresholds, st.just(1.0), sentiment_min=st.sampled_from([-0.5, 0.5])),
    st.builds(LabelHolds, st.just(("c",)), st.just(0.25), st.sampled_from([0.25, 0.75])),
    st.just(EntityPresent("date")),
    st.just(UserPropertyHolds(name="x", one_of=("u", "v"))),
    st.builds(UserPropertyHolds, name=st.just("y"), minimum=st.sampled_from([1.0, 5.0]), maximum=st.just(7.0)),
]


@st.composite
def trees(draw: st.DrawFn) -> Condition:
    """Some of the leaves, each once, joined one after the other."""
    first, *others = [draw(leaf) for leaf in draw(st.permutations(leaves))[: draw(st.integers(1, len(leaves)))]]
    tree = first
    for leaf in others:
        make, negated = draw(st.sampled_from(["all", "any"])), draw(st.booleans())
        joined = AllOf((tree, leaf)) if make == "all" else AnyOf((tree, leaf))
        tree = Not(joined) if negated else joined
    return tree


def _maybe(name: Label) -> st.SearchStrategy[list[FakePrediction]]:
    return st.lists(st.builds(FakePrediction, st.just(name), probabilities, sentiments), max_size=1)


some_results = st.builds(
    lambda a, b1, b2, c, entity, x, y: FakeResult(
        labels=[*a, *b1, *b2, *c],
        entities=[FakeEntity(kind="date")] if entity else [],
        comment=FakeComment(user_properties={"x": x, "y": y}),
    ),
    *(_maybe(name) for name in (("a",), ("b", "1"), ("b", "2"), ("c",))),
    st.booleans(),
    st.sampled_from([None, "u", "w"]),
    st.sampled_from([None, "u", 0, 5, 6.5, 9.0, inf]),
)


@given(trees(), some_results)
def test_a_named_flip_turns_the_condition_over(condition: Condition, result: FakeResult) -> None:
    before = explained(condition, result)
    assume(before.flip is not None)
    after = explained(condition, reduce(_changed, before.flip or (), result))
    assert after.holds is not before.holds


def flip_of(condition: Condition, result: FakeResult) -> Flip | None:
    return explained(condition, result).flip


def test_the_cheapest_of_several_ways_is_named() -> None:
    result = a_result({"A": 0.7, "B": 0.6, "C": 0.2})
    either = AnyOf((a_label("A", 0.9), a_label("B", 0.7), a_label("C", 0.5)))
    assert flip_of(either, result) == flip_of(a_label("B", 0.7), result)
    assert cost(flip_of(either, result) or ()) == 0.7 - 0.6


def test_all_that_fails_must_change_together() -> None:
    result = a_result({"A": 0.7, "B": 0.6, "C": 0.9})
    both = AllOf((a_label("A", 0.9), a_label("B", 0.7), a_label("C", 0.5)))
    assert [change.subject for change in flip_of(both, result) or ()] == ["label A", "label B"]


def test_a_condition_that_cannot_turn_says_so() -> None:
    assert flip_of(AllOf(()), a_result()) is None
    assert flip_of(Not(AllOf(())), a_result()) is None
    assert flip_of(AllOf((a_label("A"), Not(AllOf(())))), a_result()) is None


def test_the_nearest_prediction_under_a_pattern_is_named() -> None:
    (change,) = flip_of(a_label("T > *", 0.8), a_result({"T > x": 0.3, "T > y": 0.7, "T": 0.79})) or ()
    assert (change.subject, change.relation, change.bound) == ("label T > y", Relation.AT_LEAST, 0.8)


def _changed(result: FakeResult, change: Change) -> FakeResult:
    what, _, name = change.subject.partition(" ")
    if what == "entity":
        present = change.relation is Relation.PRESENT
        return replace(result, entities=[FakeEntity(kind=name)] if present else [])
    if what == "user":
        properties = {**result.comment.user_properties, name.removeprefix("property "): _value(change)}
        return replace(result, comment=replace(result.comment, user_properties=properties))
    return replace(result, labels=_labels(result, change))


def _labels(result: FakeResult, change: Change) -> list[FakePrediction]:
    label = levels_of(change.subject.removeprefix("sentiment of ").removeprefix("label "))
    others = [each for each in result.labels if each.name != label]
    named = next((each for each in result.labels if each.name == label), None)
    if change.relation is Relation.ABSENT:
        return others
    value = _value(change)
    assert isinstance(value, float)
    if named is None:
        return [*others, FakePrediction(tuple("1" if level == "*" else level for level in label), value, 1.0)]
    if change.subject.startswith("sentiment"):
        return [*others, replace(named, sentiment=value)]
    return [*others, replace(named, probability=value)]


def _value(change: Change) -> Value:
    """The nearest value that is what the change asks for."""
    if isinstance(change.bound, tuple):
        return change.bound[0] if change.relation is Relation.ONE_OF else "something else"
    if change.bound is None:
        return None if change.relation is Relation.ABSENT else 0.5
    away = {Relation.UNDER: -inf, Relation.OVER: inf}.get(change.relation)
    return change.bound if away is None else nextafter(change.bound, away)
