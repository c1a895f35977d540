"""The contract of the rules, sentence by sentence."""

from __future__ import annotations

import pytest

from bridge.domain.labels import levels_of, spelled
from bridge.domain.rule_index import RuleIndex
from bridge.domain.rules import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    EntityPresent,
    LabelHolds,
    MatchedLabel,
    MatchMode,
    Not,
    Route,
    RuleSet,
    UserPropertyHolds,
)
from tests.unit.rules.results import FakeComment, FakeEntity, FakePrediction, FakeResult, a_label, a_result

NAN = float("nan")


def holds(condition: Condition, result: FakeResult) -> bool:
    return bool(RuleSet([Route(name="r", topic="t", when=condition)]).matches(result))


def matched(condition: Condition, result: FakeResult) -> tuple[MatchedLabel, ...]:
    (match,) = RuleSet([Route(name="r", topic="t", when=condition)]).matches(result)
    return match.matched


@pytest.mark.parametrize(
    ("pattern", "label", "expected"),
    [
        ("Trade", "Trade", True),
        ("Trade", "Trade > Settlement", False),
        ("Trade > Settlement", "Trade", False),
        ("trade", "Trade", False),
        ("Trade > *", "Trade > Settlement", True),
        ("Trade > *", "Trade", False),
        ("Trade > *", "Trade > Settlement > Failed", False),
        ("Trade > **", "Trade", True),
        ("Trade > **", "Trade > Settlement > Failed", True),
        ("** > Failed", "Failed", True),
        ("** > Failed", "Trade > Settlement > Failed", True),
        ("** > Failed", "Trade > Failed > Late", False),
        ("* > * > Failed", "Trade > Settlement > Failed", True),
        ("Trade > ** > Late > ** > Failed", "Trade > Late > x > Late > Failed", True),
        ("**", "Trade", True),
        ("Trade > * > **", "Trade", False),
    ],
)
def test_a_star_is_one_level_and_two_stars_are_any_number(pattern: str, label: str, expected: bool) -> None:
    assert holds(a_label(pattern), a_result({label: 0.5})) is expected


def test_a_hostile_pattern_over_a_deep_label_ends() -> None:
    pattern = ("**", "a") * 32
    assert not holds(LabelHolds(pattern), FakeResult(labels=[FakePrediction(("a",) * 5_000 + ("b",), 0.9)]))


@pytest.mark.parametrize(("probability", "expected"), [(0.79999, False), (0.8, True), (0.9, True), (0.90001, False)])
def test_both_ends_of_a_range_belong_to_it(probability: float, expected: bool) -> None:
    assert holds(a_label("A", 0.8, 0.9), a_result({"A": probability})) is expected


@pytest.mark.parametrize("probability", [NAN, float("inf"), float("-inf")])
def test_a_probability_that_is_no_number_satisfies_nothing(probability: float) -> None:
    result = a_result({"A": probability})
    assert not holds(a_label("A"), result)
    assert not holds(a_label("A", sentiment_min=-1.0), result)
    assert holds(Not(a_label("A")), result)


@pytest.mark.parametrize(("probability", "low", "high"), [(1.0000001, 0.8, 1.0), (-0.1, 0.0, 0.5), (1.5, 1.0, 1.0)])
def test_a_probability_out_of_range_counts_as_the_nearest_one(probability: float, low: float, high: float) -> None:
    assert holds(a_label("A", low, high), a_result({"A": probability}))


@pytest.mark.parametrize(
    ("sentiment", "expected"), [(-1.0, True), (-0.2, True), (-0.1, False), (None, False), (NAN, False)]
)
def test_a_sentiment_range_wants_a_sentiment(sentiment: float | None, expected: bool) -> None:
    result = FakeResult(labels=[FakePrediction(("A",), 0.9, sentiment)])
    assert holds(a_label("A", sentiment_max=-0.2), result) is expected


def test_one_prediction_must_satisfy_both_ranges() -> None:
    result = FakeResult(labels=[FakePrediction(("A", "x"), 0.9, 0.5), FakePrediction(("A", "y"), 0.1, -0.5)])
    assert not holds(a_label("A > *", 0.8, sentiment_max=0.0), result)


def test_every_prediction_under_a_pattern_that_satisfies_it_is_matched() -> None:
    result = a_result({"Trade > A": 0.9, "Trade > B": 0.2, "Fees": 0.9, "Trade > C": 0.6})
    assert matched(a_label("Trade > *", 0.6), result) == (
        MatchedLabel(("Trade", "A"), 0.9, 0.6),
        MatchedLabel(("Trade", "C"), 0.6, 0.6),
    )


def test_a_label_predicted_twice_is_matched_twice() -> None:
    result = FakeResult(labels=[FakePrediction(("A",), 0.9), FakePrediction(("A",), 0.8), FakePrediction(("A",), 0.1)])
    assert [each.probability for each in matched(a_label("A", 0.5), result)] == [0.9, 0.8]


def test_not_contributes_nothing_to_what_matched() -> None:
    result = a_result({"A": 0.9, "Spam": 0.1})
    condition = AllOf((a_label("A", 0.5), Not(a_label("Spam", 0.5)), Not(Not(a_label("A")))))
    assert matched(condition, result) == (MatchedLabel(("A",), 0.9, 0.5),)


def test_any_reports_all_of_its_parts_that_hold_and_each_label_once() -> None:
    result = a_result({"A": 0.9, "B": 0.7, "C": 0.1})
    both = AllOf((a_label("A", 0.5), a_label("C", 0.5)))
    condition = AnyOf((both, a_label("B", 0.5), a_label("A", 0.5), a_label("*", 0.5)))
    assert matched(condition, result) == (MatchedLabel(("B",), 0.7, 0.5), MatchedLabel(("A",), 0.9, 0.5))


def test_all_of_nothing_is_true_and_any_of_nothing_is_false() -> None:
    assert holds(AllOf(()), a_result())
    assert not holds(AnyOf(()), a_result())


def test_an_entity_is_known_by_its_kind_or_by_its_name() -> None:
    result = FakeResult(entities=[FakeEntity(kind="monetary-quantity", name="amount")])
    assert holds(EntityPresent("monetary-quantity"), result)
    assert holds(EntityPresent("amount"), result)
    assert not holds(EntityPresent("date"), result)


@pytest.mark.parametrize(
    ("value", "condition", "expected"),
    [
        ("uk", UserPropertyHolds(name="p", one_of=("uk", "de")), True),
        ("UK", UserPropertyHolds(name="p", one_of=("uk", "de")), False),
        (12000.0, UserPropertyHolds(name="p", one_of=(12000,)), True),
        (12000, UserPropertyHolds(name="p", one_of=(12000.0,)), True),
        ("12000", UserPropertyHolds(name="p", one_of=(12000,)), False),
        (True, UserPropertyHolds(name="p", one_of=(1,)), False),
        (5, UserPropertyHolds(name="p", minimum=5, maximum=5), True),
        (5.1, UserPropertyHolds(name="p", maximum=5), False),
        ("5", UserPropertyHolds(name="p", minimum=0), False),
        (True, UserPropertyHolds(name="p", minimum=0), False),
        (NAN, UserPropertyHolds(name="p", minimum=0), False),
        (NAN, UserPropertyHolds(name="p", maximum=0), False),
        (10**400, UserPropertyHolds(name="p", minimum=0), False),
        (7, UserPropertyHolds(name="p", one_of=(7, 9), minimum=8), False),
        ("", UserPropertyHolds(name="p"), True),
        (0, UserPropertyHolds(name="p"), True),
        (None, UserPropertyHolds(name="p"), False),
    ],
)
def test_a_user_property_satisfies_all_that_is_asked(
    value: str | float | None, condition: UserPropertyHolds, expected: bool
) -> None:
    assert holds(condition, a_result(p=value)) is expected


def test_a_user_property_that_is_missing_satisfies_nothing() -> None:
    assert not holds(UserPropertyHolds(name="p"), a_result(q=1))


def routes(*spelled_routes: tuple[str, float, bool]) -> list[Route]:
    return [
        Route(name=f"{label}-{place}", topic="t", when=a_label(label, low), shadow=shadow)
        for place, (label, low, shadow) in enumerate(spelled_routes)
    ]


def test_all_reports_every_route_that_holds_in_order() -> None:
    rule_set = RuleSet(routes(("B", 0.1, False), ("A", 0.1, True), ("C", 0.1, False), ("A", 0.9, False)))
    assert [match.route.name for match in rule_set.matches(a_result({"A": 0.5, "B": 0.5}))] == ["B-0", "A-1"]


def test_first_stops_at_the_first_live_route_and_a_shadow_never_takes_its_place() -> None:
    rule_set = RuleSet(
        routes(("A", 0.1, True), ("B", 0.9, False), ("C", 0.1, False), ("C", 0.1, True), ("A", 0.1, False)),
        MatchMode.FIRST,
    )
    result = a_result({"A": 0.5, "B": 0.5, "C": 0.5})
    assert [match.route.name for match in rule_set.matches(result)] == ["A-0", "C-2"]


def test_first_with_shadows_only_reports_them_all() -> None:
    rule_set = RuleSet(routes(("A", 0.1, True), ("A", 0.2, True)), MatchMode.FIRST)
    assert len(rule_set.matches(a_result({"A": 0.5}))) == 2


def test_rules_that_cannot_hold_are_not_even_candidates() -> None:
    rules: list[Condition] = [
        *(a_label(f"L{number}", 0.5) for number in range(100)),
        *(a_label(f"Trade > {number} > **", 0.5) for number in range(100)),
        *(a_label(f"Trade > ** > {number}", 0.5) for number in range(100)),
        *(EntityPresent(f"kind-{number}") for number in range(100)),
        *(AllOf((a_label("Trade"), UserPropertyHolds(name="p", one_of=(f"v{number}",)))) for number in range(100)),
        *(AnyOf((a_label(f"M{number}"), AllOf((EntityPresent(f"m-{number}"), Always())))) for number in range(100)),
    ]
    result = a_result(
        {"L7": 0.9, "Trade": 0.9, "Trade > 7 > x": 0.9, "Trade > x > 7": 0.1, "M7": 0.1}, entities=["kind-7"], p="v7"
    )
    found = RuleIndex(rules).candidates(
        [each.name for each in result.labels], result.labels, result.entities, result.comment.user_properties
    )
    assert found == [7, 107, 207, 307, 407, 507]


def test_rules_that_hold_without_any_sign_are_always_candidates() -> None:
    rules: list[Condition] = [Always(), Not(a_label("A")), AnyOf((a_label("A"), Always())), AllOf(()), a_label("A")]
    assert RuleIndex(rules).candidates([], [], [], {}) == [0, 1, 2, 3]


def test_the_text_form_of_a_label_is_read_back() -> None:
    assert levels_of("Trade > Settlement") == ("Trade", "Settlement")
    assert spelled(("Trade", "Settlement")) == "Trade > Settlement"
    assert levels_of("Trade>Settlement") == ("Trade>Settlement",)


def test_a_result_with_nothing_in_it_is_survived() -> None:
    assert not holds(a_label("**"), FakeResult(comment=FakeComment(uid="")))
