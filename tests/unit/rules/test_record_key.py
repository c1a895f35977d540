"""What decides a record's partition, and so keeps its order (I9)."""

from __future__ import annotations

import pytest

from bridge.domain.plan import KeyFrom, KeyKind
from bridge.domain.record_key import record_key
from tests.unit.rules.results import FakeComment, FakeResult, Value

THREAD = KeyFrom(kind=KeyKind.THREAD_ID)
DOMAIN = KeyFrom(kind=KeyKind.USER_PROPERTY, user_property="string:Sender Domain")


def of(comment: FakeComment) -> FakeResult:
    return FakeResult(comment=comment)


def test_the_uid_is_the_key_by_default() -> None:
    assert record_key(KeyFrom(), of(FakeComment(uid="s.1"))) == b"s.1"


def test_none_means_no_key() -> None:
    assert record_key(KeyFrom(kind=KeyKind.NONE), of(FakeComment())) is None


@pytest.mark.parametrize(("thread_id", "expected"), [("t", b"t"), (None, b"s.1"), ("", b"s.1")])
def test_the_uid_stands_in_for_a_missing_thread(thread_id: str | None, expected: bytes) -> None:
    assert record_key(THREAD, of(FakeComment(uid="s.1", thread_id=thread_id))) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("acme.example", b"acme.example"),
        ("", b"s.1"),
        (None, b"s.1"),
        (12000, b"12000"),
        (12000.0, b"12000"),
        (0.5, b"0.5"),
        (0, b"0"),
        (False, b"false"),
        (float("nan"), b"nan"),
        ("Zürich 🏦", "Zürich 🏦".encode()),
    ],
)
def test_a_user_property_is_the_key_as_text(value: Value, expected: bytes) -> None:
    comment = FakeComment(uid="s.1", user_properties={"string:Sender Domain": value})
    assert record_key(DOMAIN, of(comment)) == expected


def test_the_uid_stands_in_for_a_user_property_nobody_sent() -> None:
    assert record_key(DOMAIN, of(FakeComment(uid="s.1"))) == b"s.1"


def test_lone_surrogates_survive_and_stay_apart() -> None:
    keys = {record_key(THREAD, of(FakeComment(thread_id=text))) for text in ("\ud800", "\udc00", "?")}
    assert keys == {b"\xed\xa0\x80", b"\xed\xb0\x80", b"?"}
