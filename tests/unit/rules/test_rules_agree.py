"""The compiled rules against the slow interpreter of the same contract."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.labels import literal_prefix, literal_suffix, pattern_matches, pattern_test
from bridge.domain.model import Label
from bridge.domain.rule_index import RuleIndex
from bridge.domain.rules import Condition, LabelHolds, MatchMode, Route, RuleSet
from tests.unit.rules import interpreter
from tests.unit.rules.results import FakeResult, conditions, levels, patterns, results, thresholds


@given(
    st.lists(st.tuples(conditions, st.booleans()), max_size=4),
    st.sampled_from(MatchMode),
    st.lists(results, max_size=2),
)
def test_the_same_routes_hold_in_the_same_order_with_the_same_labels(
    rules: list[tuple[Condition, bool]], mode: MatchMode, some: list[FakeResult]
) -> None:
    check_agreement(rules, mode, some)


def check_agreement(rules: list[tuple[Condition, bool]], mode: MatchMode, some: list[FakeResult]) -> None:
    routes = [
        Route(name=f"r{place}", topic="t", when=when, shadow=shadow) for place, (when, shadow) in enumerate(rules)
    ]
    rule_set = RuleSet(routes, mode)
    for result in some:
        seen = [
            (match.route.name, [(each.label, each.probability, each.min) for each in match.matched])
            for match in rule_set.matches(result)
        ]
        assert seen == interpreter.routes_that_hold(routes, mode, result)


plain_conditions = st.builds(
    LabelHolds, pattern=st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2).map(tuple), min=thresholds
)


@given(
    st.lists(st.tuples(plain_conditions, st.booleans()), max_size=4),
    st.sampled_from(MatchMode),
    st.lists(results, max_size=3),
)
def test_so_they_do_where_every_route_asks_for_one_label(
    rules: list[tuple[Condition, bool]], mode: MatchMode, some: list[FakeResult]
) -> None:
    """Then there is a short way."""
    check_agreement(rules, mode, some)


@given(st.lists(conditions, max_size=4), results)
def test_the_index_never_hides_a_rule_that_holds(rules: list[Condition], result: FakeResult) -> None:
    index = RuleIndex(rules)
    labels = [each.name for each in result.labels]
    found = index.candidates(labels, result.labels, result.entities, result.comment.user_properties)
    assert set(found) >= {place for place, rule in enumerate(rules) if interpreter.holds(rule, result)}
    assert found == sorted(set(found))


@given(patterns, st.lists(levels, max_size=6).map(tuple))
def test_patterns_name_what_the_regular_expression_names(pattern: Label, label: Label) -> None:
    named = pattern_matches(pattern, label)
    assert named == interpreter.pattern_names(pattern, label) == pattern_test(pattern)(label)
    if named:
        assert label[: len(literal_prefix(pattern))] == literal_prefix(pattern)
        assert label[len(label) - len(literal_suffix(pattern)) :] == literal_suffix(pattern)
