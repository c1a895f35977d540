"""Where results went and where they would go: counted, sampled, and cut to what was read whole."""

from __future__ import annotations

import pytest

from bridge.adapters.platform.wire import decode_result
from bridge.domain.model import Undecodable
from bridge.domain.plan import TriggerPlan
from bridge.domain.whatif import Change, Sent, Spread, Way, Whatif, changes, samples, ways_of
from tests.fakes.plans import a_plan, a_route
from tests.fakes.results import raw_result
from tests.fakes.topic_records import a_record

URGENT, FEES, UNROUTED = Way("urgent", "rpa.urgent"), Way("fees", "rpa.fees"), Way("unmatched", "rpa.unrouted")
NEW = a_plan({"fees": "Fees"}, extra=(a_route("urgent", "Urgent", 0.8),))


def sent(number: int, way: Way, labels: dict[str, float], *, ms: int = 0, generation: int = 0) -> Sent:
    result = decode_result(raw_result(number, labels))
    assert not isinstance(result, Undecodable)
    record = a_record(number, topic=way.topic, route=way.route, written_ms=ms or number, generation=generation)
    probabilities = [labels["Urgent"]] if way == URGENT else []
    return Sent(record=record, sequence_id=result.sequence_id, way=way, probabilities=probabilities, result=result)


def told(*records: Sent, last: int = 100, plan: TriggerPlan = NEW) -> Whatif:
    whatif = Whatif(plan, last)
    for record in records:
        whatif.take(record)
    return whatif


def test_what_stays_and_what_moves_is_counted_by_route_and_topic() -> None:
    outcomes = told(
        sent(1, URGENT, {"Urgent": 0.9}),
        sent(2, URGENT, {"Urgent": 0.6}),
        sent(3, UNROUTED, {"Fees": 0.7}),
        sent(4, URGENT, {"Urgent": 0.95, "Fees": 0.6}),
    ).outcomes(0)
    found = {change.way: change for change in changes(outcomes)}
    assert [(found[way].before, found[way].after, found[way].gained, found[way].lost) for way in found] == [
        (0, 2, 2, 0),
        (1, 1, 1, 1),
        (3, 2, 0, 1),
    ]
    assert list(found) == [FEES, UNROUTED, URGENT]
    assert sum(outcome.is_moved for outcome in outcomes) == 3


def test_the_probabilities_that_decided_are_compared() -> None:
    outcomes = told(sent(1, URGENT, {"Urgent": 0.9}), sent(2, URGENT, {"Urgent": 0.6})).outcomes(0)
    (change,) = (each for each in changes(outcomes) if each.way == URGENT)
    assert (sorted(change.probabilities_before), change.probabilities_after) == ([0.6, 0.9], [0.9])


def test_a_result_on_two_topics_is_one() -> None:
    both = {"Urgent": 0.9, "Fees": 0.7}
    (outcome,) = told(sent(1, URGENT, both), sent(1, FEES, both)).outcomes(0)
    assert not outcome.is_moved


def test_of_a_replayed_result_the_latest_generation_counts() -> None:
    labels = {"Urgent": 0.9}
    records = [sent(1, UNROUTED, labels), sent(1, URGENT, labels, generation=1, ms=9), sent(1, UNROUTED, labels)]
    (outcome,) = told(*records).outcomes(0)
    assert list(outcome.before) == [URGENT]


def test_only_the_newest_are_judged_and_only_what_was_read_whole() -> None:
    whatif = told(*(sent(number, URGENT, {"Urgent": 0.9}) for number in range(1, 60)), last=10)
    assert [outcome.written_ms for outcome in whatif.outcomes(0)] == list(range(59, 49, -1))
    assert [outcome.written_ms for outcome in whatif.outcomes(56)] == [59, 58, 57, 56]


def test_shadow_routes_take_nothing() -> None:
    plan = a_plan({}, extra=(a_route("urgent", "Urgent", shadow=True),), unmatched=None)
    assert ways_of(plan, sent(1, URGENT, {"Urgent": 0.9}).result) == {}


def test_samples_show_every_kind_of_move_first() -> None:
    many = [sent(number, URGENT, {"Urgent": 0.6}) for number in range(1, 30)]
    outcomes = told(*many, sent(50, UNROUTED, {"Fees": 0.7}), sent(51, URGENT, {"Urgent": 0.9})).outcomes(0)
    shown = samples(outcomes)
    assert len(shown) == 10
    assert {frozenset(each.before) for each in shown[:2]} == {frozenset([URGENT]), frozenset([UNROUTED])}


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([], None),
        ([0.5], Spread(count=1, mean=0.5, p10=0.5, p50=0.5, p90=0.5)),
        ([n / 10 for n in range(11)], Spread(count=11, mean=0.5, p10=0.1, p50=0.5, p90=0.9)),
    ],
)
def test_a_spread(values: list[float], spread: Spread | None) -> None:
    found = Spread.of(values)
    assert found == spread or (spread and found and found.mean == pytest.approx(spread.mean))


def test_nothing_on_the_topics_is_nothing_to_say() -> None:
    assert list(changes(told().outcomes(0))) == list[Change]()
