"""One result at a time: what is read or survived, what becomes a dead letter, and that its bytes stay (D6, I8)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.platform.lenient import read_leniently
from bridge.adapters.platform.wire import decode_result
from bridge.domain.model import Undecodable
from tests.unit.platform.pages import a_result, raw_result, readable, unreadable


def test_what_routing_needs_is_read() -> None:
    result = readable(decode_result(raw_result(7)))
    assert result.sequence_id == "seq-7"
    assert result.comment.uid == "18ba5ce699f8da1f.7"
    assert result.comment.thread_id == "3c31"
    assert result.comment.created_at == "2020-06-01T13:27:29.450000Z"
    assert result.comment.user_properties == {"string:Country": "uk", "number:Amount": 12000.0}
    assert [(label.name, label.probability, label.sentiment) for label in result.labels] == [
        (("Trade", "Settlement"), 0.8, None)
    ]
    assert [(entity.kind, entity.name) for entity in result.entities] == [("date", "")]
    assert not result.has_reserved_keys


def test_the_bytes_are_kept_without_the_blanks_around_them() -> None:
    raw = b'{ "comment" : {"uid":"a.1", "x":1.50},\n "sequence_id":"s" }'
    assert readable(decode_result(b" \n" + raw + b"\t ")).raw == raw


@pytest.mark.parametrize(
    "more",
    [
        {"labels": None, "entities": None},
        {"comment": {"user_properties": None, "created_at": None, "thread_id": None}},
        {"label_properties": [{"property_name": "tone", "value": 1.0}], "moon": [[{}]]},
    ],
)
def test_what_may_be_missing_or_new_is_survived(more: dict[str, Any]) -> None:
    result = readable(decode_result(raw_result(**more)))
    assert result.comment.uid == "18ba5ce699f8da1f.1"


def test_missing_parts_read_as_empty() -> None:
    result = readable(decode_result(b'{"comment":{"uid":"a.1"},"sequence_id":"s"}'))
    assert (result.comment.thread_id, result.comment.created_at, result.comment.user_properties) == (None, "", {})
    assert (list(result.labels), list(result.entities)) == ([], [])


def test_nulls_read_as_missing() -> None:
    result = readable(
        decode_result(
            b'{"comment":{"uid":"a.1","thread_id":null,"created_at":null,"user_properties":null},'
            b'"sequence_id":"s","labels":null,"entities":[{"kind":null,"name":"date"}]}'
        )
    )
    assert (result.comment.thread_id, result.comment.created_at, result.comment.user_properties) == (None, "", {})
    assert list(result.labels) == []
    assert [(entity.kind, entity.name) for entity in result.entities] == [("", "date")]


def test_trap_1_and_2_swapped_and_wild_spans_pass_untouched() -> None:
    span = {"content_part": "body", "message_index": 0, "utf16_byte_start": 120, "utf16_byte_end": 6}
    raw = raw_result(entities=[{"kind": "date", "span": span, "spans": [span, {"char_start": -1}]}])
    result = readable(decode_result(raw))
    assert result.raw == raw
    assert [entity.kind for entity in result.entities] == ["date"]


@pytest.mark.parametrize(
    "created_at", ["2018-10-16T10:51:46.247000+00:00", "2020-06-01T13:27:29Z", "2020-06-03T16:05:00", "", "soon"]
)
def test_trap_12_an_upload_time_is_kept_as_it_is_written(created_at: str) -> None:
    result = readable(decode_result(raw_result(comment={"created_at": created_at})))
    assert result.comment.created_at == created_at


def test_trap_24_a_comment_that_changed_keeps_its_place() -> None:
    """What tells deliveries apart is the position, never the content (D4)."""
    before, after = raw_result(1), raw_result(1, comment={"messages": [{"body": {"text": "edited"}}]})
    assert before != after
    assert decode_result(before).sequence_id == decode_result(after).sequence_id


def test_trap_18_and_19_no_labels_are_no_error() -> None:
    assert list(readable(decode_result(raw_result(labels=[]))).labels) == []
    assert list(readable(decode_result(raw_result(labels=None))).labels) == []


def test_trap_27_a_label_is_a_list_or_one_text() -> None:
    labels = [{"name": "Trade > Settlement", "probability": 1}, {"name": ["Spam"], "probability": 0, "sentiment": -1}]
    result = readable(decode_result(raw_result(labels=labels)))
    assert [(label.name, label.probability, label.sentiment) for label in result.labels] == [
        (("Trade", "Settlement"), 1.0, None),
        (("Spam",), 0.0, -1.0),
    ]


def test_trap_28_a_parent_beside_its_child_is_one_more_label() -> None:
    labels = [{"name": ["Trade"], "probability": 0.9}, {"name": ["Trade", "Settlement"], "probability": 0.8}]
    names = [label.name for label in readable(decode_result(raw_result(labels=labels))).labels]
    assert names == [("Trade",), ("Trade", "Settlement")]


def test_trap_29_the_text_of_a_number_stays_in_the_bytes() -> None:
    raw = b'{"comment":{"uid":"a.1","user_properties":{"number:A":12000.0,"number:B":1.10}},"sequence_id":"s"}'
    result = readable(decode_result(raw))
    assert result.raw == raw
    assert result.comment.user_properties == {"number:A": 12000.0, "number:B": 1.1}


def test_odd_user_properties_are_there_but_cannot_be_compared() -> None:
    properties: dict[str, object] = {
        "string:List": ["a"],
        "string:Map": {},
        "number:Null": None,
        "string:Yes": True,
        "number:One": 1,
    }
    result = readable(decode_result(raw_result(comment={"user_properties": properties})))
    assert result.comment.user_properties == {
        "string:List": None,
        "string:Map": None,
        "number:Null": None,
        "string:Yes": True,
        "number:One": 1,
    }


@pytest.mark.parametrize("key", ["trigger", "generation", "route"])
@pytest.mark.parametrize("labels", ["[]", '[{"name":"a > b","probability":1}]'], ids=["quick road", "slow road"])
def test_a_key_that_the_record_needs_for_itself_is_noticed(key: str, labels: str) -> None:
    raw = f'{{"comment":{{"uid":"a.1"}},"sequence_id":"s","labels":{labels},"{key}":null}}'.encode()
    assert readable(decode_result(raw)).has_reserved_keys


def test_a_reserved_key_inside_the_comment_clashes_with_nothing() -> None:
    assert not readable(decode_result(raw_result(comment={"route": 1, "trigger": {}}))).has_reserved_keys


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"{}", "no_comment"),
        (b'{"sequence_id":"s","comment":null}', "no_comment"),
        (b'{"sequence_id":"s","comment":{}}', "no_uid"),
        (b'{"sequence_id":"s","comment":{"uid":""}}', "no_uid"),
        (b'{"sequence_id":"s","comment":{"uid":7}}', "no_uid"),
        (b'{"comment":{"uid":"a.1"}}', "no_sequence_id"),
        (b'{"sequence_id":"","comment":{"uid":"a.1"}}', "no_sequence_id"),
        (b'{"sequence_id":5,"comment":{"uid":"a.1"}}', "no_sequence_id"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"labels":{}}', "bad_labels"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"labels":["Spam"]}', "bad_labels"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"labels":[{"name":["a"]}]}', "bad_labels"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"labels":[{"name":["a"],"probability":"1"}]}', "bad_labels"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"labels":[{"name":["a"],"probability":true}]}', "bad_labels"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"labels":[{"name":["a"],"probability":1e999}]}', "bad_labels"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"labels":[{"name":[1],"probability":1}]}', "bad_labels"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"entities":"none"}', "bad_entities"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"entities":[1]}', "bad_entities"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1","user_properties":[1]}}', "bad_user_properties"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1","text":"\xff"}}', "not_utf8"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1\xff"}}', "not_utf8"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"score":NaN}', "not_strict_json"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"score":-Infinity}', "not_strict_json"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1","text":"a\x01b"}}', "not_strict_json"),
        (b'{"sequence_id":"s","comment":{"uid":"a.1"},"deep":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested_too_deep"),
        (b'{"sequence_id":"s","comment":{"uid"', "not_json"),
        (b"<html>", "not_json"),
        (b"", "not_json"),
        (b'{"sequence_id":"s"} {', "not_json"),
    ],
)
def test_i8_what_cannot_be_decided_is_undecodable_with_a_stable_reason(raw: bytes, reason: str) -> None:
    result = unreadable(decode_result(raw))
    assert (result.reason, result.raw) == (reason, raw)
    assert result.raw_is_json == (reason not in {"not_utf8", "not_strict_json", "nested_too_deep", "not_json"})


@pytest.mark.parametrize(
    "wrong",
    [b'"labels":7', b'"score":NaN', b'"text":"\xff"', b'"deep":' + b"[" * 5000 + b"]" * 5000],
)
def test_what_could_still_be_read_of_it_is_kept(wrong: bytes) -> None:
    result = unreadable(
        decode_result(b'{"comment":{"created_at":"2020","uid":"a.1"},%b,"sequence_id":"seq-9"}' % wrong)
    )
    assert (result.sequence_id, result.uid, result.created_at) == ("seq-9", "a.1", "2020")


def test_without_a_sequence_id_the_bytes_make_a_stable_one() -> None:
    one, again = decode_result(b'{"comment":{"uid":"a.1"}}'), decode_result(b' {"comment":{"uid":"a.1"}} ')
    other = decode_result(b'{"comment":{"uid":"a.2"}}')
    assert one.sequence_id == again.sequence_id != other.sequence_id
    assert one.sequence_id.startswith("bytes.")


@pytest.mark.parametrize("text", [r"\ud800", r"\udc00 \ud83d", r"\ud800A", r"\ud83d\ude00 \ud83d", r"\\ud800"])
@pytest.mark.parametrize("place", ["text", "thread_id", "uid", "key"])
def test_lone_surrogates_are_read_and_their_bytes_stay(text: str, place: str) -> None:
    comment = {"uid": "a.1", place if place != "key" else text: f"x{text}"}
    raw = ('{"comment":' + json.dumps(comment).replace("\\\\", "\\") + ',"sequence_id":"s"}').encode()
    result = readable(decode_result(raw))
    assert result.raw == raw
    assert result.comment.uid == (json.loads(raw)["comment"]["uid"])


def test_a_lone_surrogate_in_a_label_or_a_property_is_compared_as_it_is() -> None:
    raw = (
        rb'{"comment":{"uid":"a.1","user_properties":{"string:X":"\ud800"}},"sequence_id":"s",'
        rb'"labels":[{"name":["\udfff"],"probability":1}]}'
    )
    result = readable(decode_result(raw))
    assert result.comment.user_properties == {"string:X": "\ud800"}
    assert [label.name for label in result.labels] == [("\udfff",)]


def test_emoji_and_two_megabytes_pass() -> None:
    raw = json.dumps(a_result(comment={"text": "\N{GRINNING FACE}ü" * 400_000}), ensure_ascii=False).encode()
    assert readable(decode_result(raw)).raw == raw


def test_integers_of_any_length_are_read() -> None:
    long = "9" * 6000
    raw = f'{{"comment":{{"uid":"a.1\\ud800","user_properties":{{"number:N":{long}}}}},"sequence_id":"s"}}'.encode()
    assert readable(decode_result(raw)).comment.user_properties == {"number:N": float("inf")}


def test_of_a_key_that_stands_twice_the_last_counts_as_for_every_reader() -> None:
    raw = b'{"sequence_id":"a","sequence_id":"b","comment":{"uid":"x.1","uid":"x.2"}}'
    result = readable(decode_result(raw))
    assert (result.sequence_id, result.comment.uid) == ("b", json.loads(raw)["comment"]["uid"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ODD_RESULTS = st.fixed_dictionaries(
    {},
    optional={
        "sequence_id": st.text(max_size=3) | JSON,
        "comment": st.fixed_dictionaries(
            {},
            optional={
                "uid": st.text(max_size=3) | JSON,
                "thread_id": JSON,
                "created_at": JSON,
                "user_properties": st.dictionaries(st.text(max_size=3), JSON, max_size=2) | JSON,
            },
        )
        | JSON,
        "labels": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "name": st.lists(st.text(max_size=3), max_size=2) | JSON,
                    "probability": JSON,
                    "sentiment": JSON,
                },
            ),
            max_size=2,
        )
        | JSON,
        "entities": st.lists(st.fixed_dictionaries({}, optional={"kind": JSON, "name": JSON}), max_size=2) | JSON,
        "route": JSON,
    },
)


@given(ODD_RESULTS)
def test_both_roads_read_the_same_and_never_raise(value: dict[str, object]) -> None:
    raw = json.dumps(value).encode()
    quick, slow = decode_result(raw), read_leniently(raw)
    assert quick == slow
    assert quick.raw == raw


@given(st.binary(max_size=60))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    assert isinstance(decode_result(raw), Undecodable)
