"""What the counts say a moved threshold would do is what it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.platform.wire import decode_page
from bridge.domain.census import (
    BUCKETS,
    COUNTED_OF_BATCH_MAX,
    COUNTED_WHOLE,
    RECENT_BYTES_MAX,
    RECENT_MAX,
    RECENT_OF_BATCH_MAX,
    THRESHOLDS_MAX,
    Census,
    CensusTaken,
    bucket,
)
from bridge.domain.conditions import AllOf, Always, AnyOf, Condition, LabelHolds, Not
from bridge.domain.model import Batch, SequenceId, Undecodable
from bridge.domain.rules import MatchMode, Route, RuleSet
from tests.unit.platform.pages import page_of, raw_result
from tests.unit.rules import interpreter
from tests.unit.rules.results import FakeResult, a_label, a_result, conditions, label_conditions, results, thresholds

SINCE = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def census_of(routes: Sequence[Route], some: Sequence[FakeResult], mode: MatchMode = MatchMode.ALL) -> CensusTaken:
    census = Census(RuleSet(routes, mode), SINCE)
    census.count(a_page(some))
    return census.taken()


def a_page(some: Sequence[FakeResult | Undecodable]) -> Batch:
    return Batch(results=some, sequence_id=SequenceId("s"), filtered=0, is_end=None, size_asked=1024)


def a_route(name: str, when: Condition, *, shadow: bool = False) -> Route:
    return Route(name=name, topic="t", when=when, shadow=shadow)


class Moved:
    """The condition with its label condition of that place at another minimum."""

    def __init__(self, place: int, low: float) -> None:
        self.place, self.low, self.met = place, low, 0

    def __call__(self, condition: Condition) -> Condition:
        match condition:
            case LabelHolds():
                self.met += 1
                return replace(condition, min=self.low) if self.met - 1 == self.place else condition
            case Not(part=part):
                return Not(self(part))
            case AllOf(parts=parts):
                return AllOf(tuple(self(part) for part in parts))
            case AnyOf(parts=parts):
                return AnyOf(tuple(self(part) for part in parts))
            case _:
                return condition


@given(
    st.lists(st.tuples(conditions, st.booleans()), min_size=1, max_size=3),
    st.sampled_from(MatchMode),
    st.lists(results, max_size=5),
    thresholds,
)
def test_a_threshold_would_take_what_it_takes_once_it_is_moved(
    rules: list[tuple[Condition, bool]], mode: MatchMode, some: list[FakeResult], low: float
) -> None:
    routes = [a_route(f"r{place}", when, shadow=shadow) for place, (when, shadow) in enumerate(rules)]
    place_in_route = dict.fromkeys((route.name for route in routes), 0)
    for threshold in census_of(routes, some, mode).thresholds:
        name = threshold.route.name
        move = Moved(place_in_route[name], low)
        place_in_route[name] += 1
        moved = [replace(route, when=move(route.when)) if route.name == name else route for route in routes]
        taken = [result for result in some if name in dict(interpreter.routes_that_hold(moved, mode, result))]
        assert threshold.would_take(low) == len(taken)


@given(st.lists(label_conditions, min_size=1, max_size=4), st.sampled_from(MatchMode), st.lists(results, max_size=5))
def test_a_route_has_taken_what_its_rule_holds_for(
    leaves: list[LabelHolds], mode: MatchMode, some: list[FakeResult]
) -> None:
    """Rules that ask for one label each are told by their thresholds, without asking them again."""
    routes = [a_route(f"r{place}", when) for place, when in enumerate(leaves)]
    held = Counter(name for result in some for name, _ in interpreter.routes_that_hold(routes, mode, result))
    assert {each.route.name: each.taken for each in census_of(routes, some, mode).thresholds} == {
        route.name: held[route.name] for route in routes
    }


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20), st.integers(0, 100))
def test_a_bucket_begins_exactly_at_the_number_as_it_is_written(probabilities: list[float], hundredth: int) -> None:
    edge = float(f"{hundredth / 100:.2f}")
    for probability in probabilities:
        assert (bucket(probability) >= bucket(edge)) is (max(0.0, probability) >= edge)


@pytest.mark.parametrize("hundredth", range(101))
def test_every_threshold_of_two_decimals_is_the_edge_of_its_bucket(hundredth: int) -> None:
    assert bucket(float(f"{hundredth / 100:.2f}")) == hundredth < BUCKETS


def test_a_result_is_shown_with_its_largest_probability_and_decided_where_the_rest_leaves_it_open() -> None:
    when = AllOf((a_label("Trade > *", 0.5), Not(a_label("Spam", 0.5))))
    some = [
        a_result({"Trade > A": 0.31, "Trade > B": 0.62}),
        a_result({"Trade > A": 0.45}),
        a_result({"Trade > A": 0.9, "Spam": 0.8}),
        a_result({"Other": 0.9}),
    ]
    trade, spam = census_of([a_route("trades", when)], some).thresholds
    assert [place for place, count in enumerate(trade.shown) if count] == [45, 62, 90]
    assert [place for place, count in enumerate(trade.decided) if count] == [45, 62], "spam is out of reach"
    assert (trade.taken, trade.would_take(0.4), trade.would_take(0.7), trade.negated) == (1, 2, 0, False)
    assert (spam.negated, spam.taken, spam.would_take(0.9)) == (True, 1, 2)


def test_what_is_undecodable_has_no_probabilities() -> None:
    census = Census(RuleSet([a_route("r", a_label("A", 0.5))]), SINCE)
    census.count(a_page([Undecodable(raw=b"x", reason="not_json", sequence_id=SequenceId("s")), a_result({"A": 0.6})]))
    assert (census.taken().results, census.taken().counted) == (1, 1)


def test_of_many_results_an_even_sample_is_counted() -> None:
    census = Census(RuleSet([a_route("r", a_label("A", 0.5))]), SINCE)
    page = a_page([a_result({"A": place / 1000}) for place in range(1000)])
    while census.taken().counted < COUNTED_WHOLE:
        census.count(page)
    whole = census.taken()
    assert whole.counted == whole.results == COUNTED_WHOLE
    census.count(page)
    sampled = census.taken()
    assert sampled.results == whole.results + 1000
    assert 0 < sampled.counted - whole.counted <= COUNTED_OF_BATCH_MAX
    new = [now - then for now, then in zip(sampled.thresholds[0].shown, whole.thresholds[0].shown, strict=True)]
    assert abs(sum(new[:50]) - sum(new[50:100])) <= 1, "the first half of the page as much as the second"


def test_thresholds_past_the_bound_are_left_out_aloud() -> None:
    routes = [a_route(f"r{place}", a_label(f"L{place}", 0.5)) for place in range(THRESHOLDS_MAX + 3)]
    taken = census_of(routes, [a_result({f"L{THRESHOLDS_MAX}": 0.9})])
    assert (len(taken.thresholds), taken.left_out) == (THRESHOLDS_MAX, 3)


def test_the_last_few_small_results_are_kept_to_be_looked_at() -> None:
    census = Census(RuleSet([a_route("r", Always())]), SINCE)
    large = replace(a_result(), raw=b"x" * (RECENT_BYTES_MAX + 1))
    census.count(a_page([*(replace(a_result(), raw=b"%d" % place) for place in range(30)), large]))
    assert [result.raw for result in census.recent] == [b"%d" % place for place in range(21, 30)]
    assert len(census.recent) < RECENT_MAX


def test_once_there_are_enough_to_look_at_a_batch_adds_few() -> None:
    census = Census(RuleSet([a_route("r", Always())]), SINCE)
    for number in range(3):
        census.count(a_page([replace(a_result(), raw=b"%d" % (100 * number + place)) for place in range(20)]))
    kept = [int(result.raw) for result in census.recent]
    assert len(kept) == RECENT_MAX
    assert [number for number in kept if number >= 100] == [118, 119, 218, 219]
    assert RECENT_OF_BATCH_MAX == 2


def test_what_is_kept_does_not_hold_its_page_in_memory() -> None:
    """Ten small results of each of 200 triggers would be 200 pages."""
    census = Census(RuleSet([a_route("r", Always())]), SINCE)
    page = decode_page(page_of(*(raw_result(number) for number in range(3))), 8)
    assert all(isinstance(result.rest, memoryview) for result in page.results if not isinstance(result, Undecodable))
    census.count(page)
    assert [type(result.rest) for result in census.recent] == [bytes] * 3


def test_rules_that_ask_the_same_are_counted_on() -> None:
    routes = [a_route("r", a_label("A", 0.5))]
    census = Census(RuleSet(routes), SINCE)
    assert census.is_of(RuleSet(list(routes)))
    assert not census.is_of(RuleSet(routes, MatchMode.FIRST))
    assert not census.is_of(RuleSet([a_route("r", a_label("A", 0.6))]))
