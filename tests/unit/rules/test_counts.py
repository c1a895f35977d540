"""What an owner shows of its census: the same numbers under the same rules, none under others, within a bound (D19)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.kafka.status_format import counts_in, counts_record, report_of
from bridge.domain.census import BUCKETS, THRESHOLDS_MAX, Census
from bridge.domain.conditions import AllOf, Always, AnyOf, EntityPresent, LabelHolds, Not, UserPropertyHolds
from bridge.domain.counts import TALLIES_MAX, Counts, counts_of, rules_id, taken_of
from bridge.domain.model import TriggerName
from bridge.domain.rules import MatchMode, Route, RuleSet
from tests.unit.rules.results import FakeResult, conditions, results
from tests.unit.rules.test_census import SINCE, a_page

NAME = TriggerName("disputes")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def shown(census: Census) -> Counts | None:
    """As another replica reads it."""
    return counts_in(counts_record(counts_of(NAME, census, "pod-1", NOON)))


def a_census(some_routes: Sequence[Route], some: Sequence[FakeResult] = ()) -> Census:
    census = Census(RuleSet(some_routes), SINCE)
    census.count(a_page(some))
    return census


routes = st.lists(conditions, max_size=4).map(
    lambda whens: [Route(name=f"r{place}", topic="t", when=when) for place, when in enumerate(whens)]
)


@given(routes, results)
def test_another_replica_sees_the_owners_census(some_routes: Sequence[Route], one: FakeResult) -> None:
    census = a_census(some_routes, [one, one])
    told = shown(census)
    assert told is not None
    assert (told.name, told.owner, told.at) == (NAME, "pod-1", NOON)
    assert listed(taken_of(RuleSet(some_routes), told)) == listed(census.taken())


def listed(taken: object) -> str:
    """Histograms are lists or tuples, by where they come from."""
    return repr(taken).replace("[", "(").replace("]", ")").replace(",)", ")")


def asking(count: int, low: float = 0.5) -> list[Route]:
    return [Route(name=f"r{place}", topic="t", when=LabelHolds((f"L{place}",), low)) for place in range(count)]


def test_counts_of_other_rules_are_nobodys() -> None:
    """A rolling restart with other routes, or a file that one replica has taken over already."""
    told = shown(a_census(asking(3)))
    assert told is not None
    for others in (asking(2), asking(4), asking(3, 0.6), list(reversed(asking(3)))):
        assert taken_of(RuleSet(others), told) is None
    assert taken_of(RuleSet(asking(3), MatchMode.FIRST), told) is None
    assert taken_of(RuleSet(asking(3)), told) is not None


def test_what_is_more_than_can_be_shown_is_said_to_be_left_out() -> None:
    census = a_census(asking(THRESHOLDS_MAX + 5))
    told = shown(census)
    assert told is not None
    taken = taken_of(census.rules, told)
    assert taken is not None
    assert (len(taken.thresholds), taken.left_out) == (TALLIES_MAX, THRESHOLDS_MAX + 5 - TALLIES_MAX)


def test_the_largest_record_of_counts_is_far_below_what_a_broker_takes() -> None:
    full = a_census(asking(TALLIES_MAX)).taken().thresholds[0]
    counts = counts_of(NAME, a_census(asking(TALLIES_MAX)), "pod-1", NOON)
    tally = replace(counts.tallies[0], shown=[10**9] * len(full.shown), decided=[10**9] * BUCKETS)
    record = counts_record(replace(counts, tallies=[tally] * TALLIES_MAX))
    assert len(record.value or b"") < 100_000


def test_rules_have_the_same_id_in_every_process() -> None:
    """Sets and what hashes by address are spelled differently there."""
    code = "from tests.unit.rules.test_counts import *; print(rules_id(every_condition()))"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment, text=True)
    assert said.stdout.strip() == rules_id(every_condition())


def every_condition() -> RuleSet:
    properties = UserPropertyHolds(name="string:x", one_of=("a", "b", 1.5), maximum=2.0)
    parts = (Always(), LabelHolds(("A", "*"), 0.1 + 0.2, sentiment_max=0.5), EntityPresent("date"), properties)
    when = Not(AnyOf((AllOf(parts), *parts)))
    return RuleSet([Route(name="r", topic="t", when=when, shadow=True)], MatchMode.FIRST)


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b'{"owner": "pod-1"}'])
def test_counts_that_cannot_be_read_are_passed_over(value: bytes) -> None:
    record = counts_record(counts_of(NAME, a_census(asking(1)), "pod-1", NOON))
    assert counts_in(replace(record, value=value)) is None
    shorter = (record.value or b"").replace(b"[0,0,", b"[0,", 1)
    assert counts_in(replace(record, value=shorter)) is None


def test_a_release_that_knows_no_counts_takes_them_for_no_report() -> None:
    assert report_of(counts_record(counts_of(NAME, a_census(asking(1)), "pod-1", NOON))) is None


def test_the_id_tells_nothing_of_the_rules() -> None:
    """I10."""
    assert len(rules_id(RuleSet(asking(9)))) == len(rules_id(RuleSet([]))) == 32
