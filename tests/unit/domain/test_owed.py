"""What the platform has is held against the topics: planted losses are found, and each doubt is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.adapters.platform.wire import decode_result
from bridge.domain.model import Generation
from bridge.domain.owed import LOST_UIDS_MAX, Carried, Owing, Passed, Stored, Untold, lets_through, skipped_before
from bridge.domain.plan import TriggerPlan
from bridge.domain.standing import Reset, Standing
from tests.fakes.plans import REF, a_plan, a_route
from tests.fakes.results import raw_result
from tests.fakes.topic_records import a_record

START = datetime(2020, 6, 1, 13, 0, tzinfo=UTC)
RULES_ALONE = a_plan(unmatched=None)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def stored(number: int, **more: str) -> Stored:
    """As `a_record` of that number: uploaded in that second."""
    named = {"source_id": "s", "created_at": at(number).isoformat(), "timestamp": "2020-01-01T00:00:00Z", **more}
    return Stored(uid=f"uid-{number}", **named)


PASSED = Passed(before=at(90), kept_since=datetime.fromtimestamp(0, UTC), made_at=at(-10), changed_at=at(-10))


def carrying(*numbers: int, **more: Any) -> Carried:
    carried = Carried({(REF.identity, 7)})
    carried.take(a_record(number, **more) for number in numbers)
    return carried


def an_owing(
    carried: Carried,
    passed: Passed = PASSED,
    plan: TriggerPlan = RULES_ALONE,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Owing:
    carried.seal()
    return Owing(plan, carried, passed, since, until)


def untold(owing: Owing) -> dict[Untold, int]:
    return dict(owing.judged().untold)


def test_what_is_on_the_topics_is_carried_and_the_planted_loss_is_left() -> None:
    """I1: dead letters count as well as records, of whatever generation."""
    carried = carrying(1, 3)
    carried.take([a_record(4, dead="too_large"), a_record(5, generation=2)])
    owing = an_owing(carried)
    assert owing.missing(stored(number) for number in range(1, 6)) == ["uid-2"]
    assert (owing.found.comments, owing.found.carried) == (5, 4)


def test_the_rules_decide_what_was_lost() -> None:
    owing = an_owing(carrying(9))
    assert owing.wants_predictions
    assert len(owing.missing(stored(number) for number in range(1, 5))) == 4
    owing.decide("uid-1", decode_result(raw_result(1, {"Urgent": 0.9})))
    owing.decide("uid-2", decode_result(raw_result(2, {"Urgent": 0.1})))
    owing.decide("uid-3", decode_result(b'{"sequence_id": "s", "comment": []}'))
    owing.decide("uid-4", None)
    found = owing.judged()
    assert (found.lost, found.lost_uids, found.not_owed) == (2, ["uid-1", "uid-3"], 1)
    assert found.untold == {Untold.NOT_PREDICTED: 1}


def test_a_shadow_route_owes_nothing() -> None:
    plan = a_plan({}, extra=(a_route("tried", "Urgent", shadow=True),), unmatched=None)
    owing = an_owing(carrying(), plan=plan)
    owing.decide("uid-1", decode_result(raw_result(1, {"Urgent": 0.9})))
    assert (owing.found.lost, owing.found.not_owed) == (0, 1)


def test_where_unmatched_has_a_topic_everything_is_owed_a_record() -> None:
    assert not an_owing(carrying(), plan=a_plan()).wants_predictions


def test_what_lies_ahead_of_the_trigger_is_waiting_and_so_is_its_neighbour() -> None:
    """Comments of one sync share their upload time: the next result's own may be half carried."""
    owing = an_owing(carrying(1))
    assert owing.missing([stored(89), stored(90), stored(91)]) == ["uid-89"]
    assert owing.found.waiting == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"before": None}, Untold.POSITION_UNKNOWN),
        ({"kept_since": None}, Untold.TOPICS_SHORTENED),
        ({"kept_since": at(51)}, Untold.TOPICS_SHORTENED),
        ({"made_at": at(60), "changed_at": at(60), "oldest": at(55)}, Untold.BEFORE_TRIGGER),
        ({"skipped_before": at(51)}, Untold.SKIPPED),
        ({"changed_at": at(51)}, Untold.TRIGGER_CHANGED),
        ({"shows_filter": False}, Untold.FILTER_UNKNOWN),
        ({"comment_filter": {"reviewed": "only_reviewed"}}, Untold.FILTER),
    ],
)
def test_what_cannot_be_told_is_counted_with_its_reason(changes: Mapping[str, Any], reason: Untold) -> None:
    owing = an_owing(carrying(1), replace(PASSED, **changes))
    assert owing.missing([stored(50)]) == []
    assert untold(owing) == {reason: 1}
    assert owing.found.lost == 0


def test_a_backlog_that_a_new_trigger_was_given_is_judged() -> None:
    """It was uploaded before the trigger was made, and the trigger carried what is older still."""
    passed = replace(PASSED, made_at=at(60), changed_at=at(60), oldest=at(1))
    assert an_owing(carrying(1), passed).missing([stored(50)]) == ["uid-50"]


def test_a_comment_without_an_upload_time_is_not_guessed_at() -> None:
    owing = an_owing(carrying(1))
    assert owing.missing([stored(2, created_at="")]) == []
    assert untold(owing) == {Untold.NO_UPLOAD_TIME: 1}


def test_a_dead_letter_without_uid_may_be_that_of_any() -> None:
    carried = carrying(1)
    carried.take([a_record(2, dead="no_uid")._replace(uid="")])
    owing = an_owing(carried)
    for number in (3, 4):
        owing.lose(f"uid-{number}")
    found = owing.judged()
    assert (found.lost, found.untold) == (1, {Untold.NAMELESS: 1})


def test_records_of_a_replay_on_topics_of_its_own_carry_nothing() -> None:
    assert an_owing(carrying(2, generation=7)).missing([stored(2)]) == ["uid-2"]


def test_only_uploads_of_the_time_asked_for_are_counted() -> None:
    """The first minute is left out: clocks differ, and its records may be dated before."""
    owing = an_owing(carrying(), replace(PASSED, before=at(500)), since=at(0), until=at(100))
    assert owing.missing(stored(number) for number in (30, 60, 99, 100)) == ["uid-60", "uid-99"]
    assert owing.found.comments == 2


def test_the_list_of_the_lost_is_bounded_and_their_count_is_not() -> None:
    owing = an_owing(carrying())
    for number in range(LOST_UIDS_MAX + 5):
        owing.lose(f"uid-{number}")
    assert (owing.judged().lost, len(owing.found.lost_uids)) == (LOST_UIDS_MAX + 5, LOST_UIDS_MAX)


@pytest.mark.parametrize(
    ("comment_filter", "passes"),
    [
        (None, True),
        ({"sources": ["s"]}, True),
        ({"sources": ["t"]}, False),
        ({"timestamp": {"minimum": "2020-01-01T00:00:00Z"}}, True),
        ({"timestamp": {"maximum": "2019-12-31T00:00:00Z"}}, False),
        ({"timestamp": {"minimum": "soon"}}, None),
        ({"timestamp": {"around": "2020-01-01T00:00:00Z"}}, None),
        ({"reviewed": "only_reviewed"}, None),
        ({"reviewed": "only_reviewed", "sources": ["t"]}, False),
    ],
)
def test_of_a_filter_only_what_is_certain_is_read(comment_filter: Mapping[str, object] | None, passes: object) -> None:
    assert lets_through(comment_filter, stored(1)) is passes


def test_a_reset_that_may_skip_says_up_to_where() -> None:
    reset = Reset(id="r", to_comment_created_at=at(40), requested_at=at(50), requested_by="alice", allow_skip=True)
    other = replace(reset, id="s", to_comment_created_at=at(70), allow_skip=False)
    assert skipped_before(Standing(generation=Generation(2), resets=(reset, other))) == at(40)
    assert skipped_before(Standing()) is None
