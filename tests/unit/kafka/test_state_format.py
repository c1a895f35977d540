"""The records of the state topic, read by the releases before and after this one (D17, D18)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.kafka.state_format import (
    EARLIER_WRITTEN_MAX,
    StateRecord,
    position_of,
    position_record,
    records_of,
    standings_of,
)
from bridge.domain.errors import Fatal
from bridge.domain.model import Generation, SequenceId, TriggerName
from bridge.domain.position import Position
from bridge.domain.standing import Bookmark, Pause, Reset, ResetPhase, Standing

DISPUTES = TriggerName("disputes")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

zones = st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=3, minutes=30))])
moments = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1), timezones=zones)  # noqa: DTZ001
words = st.text(max_size=20)
ids = words.map(SequenceId)
bookmarks = st.builds(Bookmark, batch_id=ids, last=ids, last_at=st.none() | moments)
resets = st.builds(
    Reset,
    id=words,
    to_comment_created_at=moments,
    requested_at=moments,
    requested_by=words,
    reason=words,
    allow_skip=st.booleans(),
    phase=st.sampled_from(ResetPhase),
    generation=st.none() | st.integers(0, 2**31).map(Generation),
    replay_until=st.none() | moments,
    replayed=st.integers(0, 2**40),
    finished_at=st.none() | moments,
    error=words,
    until=st.none() | moments,
    topic_prefix=words,
    saved=st.none() | bookmarks,
    replayed_from=st.none() | moments,
    replayed_to=st.none() | moments,
    cancelled_by=words,
)
standings = st.builds(
    Standing,
    generation=st.integers(0, 2**31).map(Generation),
    generation_reset_id=words,
    pause=st.none() | st.builds(Pause, by=words, at=moments, reason=words),
    resets=st.lists(resets, max_size=4).map(tuple),
)
names = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True).map(TriggerName)

RECORDED = Standing(
    generation=Generation(2),
    generation_reset_id="b7",
    pause=Pause(by="bob", at=NOON, reason="release"),
    resets=(
        Reset(
            id="b7",
            to_comment_created_at=NOON - timedelta(days=3),
            requested_at=NOON,
            requested_by="alice",
            reason="a rule was wrong",
            allow_skip=True,
            phase=ResetPhase.REPLAYING,
            generation=Generation(2),
            replay_until=NOON,
            replayed=700,
        ),
    ),
)
RECORDED_WISH = (
    b'{"version":1,"pause":{"by":"bob","at":"2026-01-05T12:00:00Z","reason":"release"},"resets":[{"id":"b7",'
    b'"to_comment_created_at":"2026-01-02T12:00:00Z","requested_at":"2026-01-05T12:00:00Z","requested_by":"alice",'
    b'"phase":"replaying","over":false,"reason":"a rule was wrong","allow_skip":true,"generation":2,'
    b'"replay_until":"2026-01-05T12:00:00Z","replayed":700}]}'
)
RECORDED_GENERATION = b'{"version":1,"generation":2,"reset_id":"b7"}'


@given(st.dictionaries(names, standings, max_size=4))
def test_what_is_written_is_read(kept: dict[TriggerName, Standing]) -> None:
    records = [record for name, standing in kept.items() for record in records_of(name, standing)]
    assert standings_of(records) == kept


@given(standings)
def test_equal_standings_are_equal_bytes(standing: Standing) -> None:
    assert records_of(DISPUTES, standing) == records_of(DISPUTES, replace(standing))


def test_the_recorded_bytes_are_still_written() -> None:
    assert records_of(DISPUTES, RECORDED) == (
        StateRecord(key=b"disputes/wish", value=RECORDED_WISH),
        StateRecord(key=b"disputes/generation", value=RECORDED_GENERATION),
    )


def test_the_recorded_bytes_are_still_read() -> None:
    assert read(RECORDED_WISH, RECORDED_GENERATION) == RECORDED


def read(wish: bytes, generation: bytes) -> Standing:
    records = [
        StateRecord(key=b"disputes/wish", value=wish),
        StateRecord(key=b"disputes/generation", value=generation),
    ]
    return standings_of(records)[DISPUTES]


def changed(recorded: bytes, **changes: Any) -> bytes:
    return json.dumps(json.loads(recorded) | changes).encode()


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    wish = changed(RECORDED_WISH, version=7, colour="green")
    generation = changed(RECORDED_GENERATION, version=7, epoch={"deep": [1]})
    assert read(wish, generation) == RECORDED


@pytest.mark.parametrize(("over", "phase"), [(True, ResetPhase.FAILED), (False, ResetPhase.REQUESTED)])
def test_a_later_phase_is_over_or_done_anew(*, over: bool, phase: ResetPhase) -> None:
    """Done anew repeats, which has its cause (I5); taken for over it could lose."""
    (reset,) = json.loads(RECORDED_WISH)["resets"]
    wish = changed(RECORDED_WISH, resets=[reset | {"phase": "verifying", "over": over}])
    assert read(wish, RECORDED_GENERATION).resets == (replace(RECORDED.resets[0], phase=phase),)


def test_the_latest_record_of_a_key_counts_and_a_deleted_one_does_not() -> None:
    wish, generation = records_of(DISPUTES, RECORDED)
    other_wish, other_generation = records_of(DISPUTES, Standing())
    assert standings_of([other_wish, other_generation, wish, generation])[DISPUTES] == RECORDED
    gone = StateRecord(key=wish.key, value=None)
    assert standings_of([wish, generation, gone])[DISPUTES] == replace(RECORDED, pause=None, resets=())


def test_records_of_other_kinds_are_passed_over() -> None:
    others = [
        StateRecord(key=b"disputes/position", value=b"not json"),
        StateRecord(key=b"stray", value=b"1"),
        StateRecord(key=b"\xff/\xfe", value=b"1"),
    ]
    assert standings_of(others) == {}


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b'{"pause": 3}', b'{"resets": [{}]}', b'"\xff"'])
def test_a_record_of_ours_that_cannot_be_read_is_fatal_and_named(value: bytes) -> None:
    """Without it a pause could be forgotten."""
    with pytest.raises(Fatal, match=r"disputes/wish.* at offset 12") as fatal:
        standings_of([StateRecord(key=b"disputes/wish", value=value, offset=12)])
    assert fatal.value.code == "state_unreadable"


POSITION = Position(
    trigger="org1/collateral/dispute",
    generation=Generation(2),
    first=SequenceId("seq-1"),
    last=SequenceId("seq-9"),
    batch_id=SequenceId("seq-10"),
    records={"urgent": 7, "unmatched": 2},
    earlier=(SequenceId("seq-0"),),
)


def test_a_position_comes_back_as_it_was_written() -> None:
    assert position_of(DISPUTES, [position_record(DISPUTES, POSITION)]) == POSITION


def test_a_position_is_a_contract_with_consumers() -> None:
    """D17: what they compute "complete up to" from."""
    record = position_record(DISPUTES, POSITION)
    assert record.key == b"disputes/position"
    assert json.loads(record.value or b"") == {
        "version": 1,
        "trigger": "org1/collateral/dispute",
        "generation": 2,
        "first": "seq-1",
        "last": "seq-9",
        "batch_id": "seq-10",
        "records": {"urgent": 7, "unmatched": 2},
        "earlier": ["seq-0"],
    }


def test_a_position_of_a_later_release_is_read() -> None:
    """D17."""
    body = json.loads(position_record(DISPUTES, POSITION).value or b"") | {"version": 2, "epoch": 7}
    late = StateRecord(key=b"disputes/position", value=json.dumps(body).encode())
    assert position_of(DISPUTES, [late]) == POSITION


def test_the_last_position_of_the_trigger_counts_and_no_other() -> None:
    earlier, later = POSITION, replace(POSITION, last=SequenceId("seq-20"))
    records = [position_record(DISPUTES, earlier), position_record(DISPUTES, later)]
    other = position_record(TriggerName("x/disputes"), earlier)
    assert position_of(DISPUTES, [*records, other]) == later
    assert position_of(TriggerName("fees"), records) is None
    assert position_of(DISPUTES, [*records, StateRecord(key=b"disputes/position", value=None)]) is None


def test_a_position_remembers_a_bounded_number_of_batches() -> None:
    many = tuple(SequenceId(f"seq-{number}") for number in range(100))
    read = position_of(DISPUTES, [position_record(DISPUTES, replace(POSITION, earlier=many))])
    assert read is not None
    assert read.earlier == many[-EARLIER_WRITTEN_MAX:]


@pytest.mark.parametrize("value", [b"{", b"[]", b'{"trigger": "t"}', b'{"trigger": 1}'])
def test_a_position_that_cannot_be_read_is_fatal(value: bytes) -> None:
    """Going on without it would publish twice."""
    with pytest.raises(Fatal, match="disputes/position"):
        position_of(DISPUTES, [StateRecord(key=b"disputes/position", value=value, offset=3)])


def test_a_position_is_no_standing() -> None:
    assert standings_of([position_record(DISPUTES, POSITION)]) == {}
