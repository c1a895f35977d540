"""What decides a record's partition, and so keeps its order (I9)."""

from __future__ import annotations

import pytest

from bridge.domain.plan import KeyFrom, KeyKind
from bridge.domain.record_key import keyed_by
from tests.unit.rules.results import FakeComment, Value

THREAD = KeyFrom(kind=KeyKind.THREAD_ID)
DOMAIN = KeyFrom(kind=KeyKind.USER_PROPERTY, user_property="string:Sender Domain")


def test_the_uid_is_the_key_by_default() -> None:
    assert keyed_by(KeyFrom())(FakeComment(uid="s.1")) == b"s.1"


def test_none_means_no_key() -> None:
    assert keyed_by(KeyFrom(kind=KeyKind.NONE))(FakeComment()) is None


@pytest.mark.parametrize(("thread_id", "expected"), [("t", b"t"), (None, b"s.1"), ("", b"s.1")])
def test_the_uid_stands_in_for_a_missing_thread(thread_id: str | None, expected: bytes) -> None:
    assert keyed_by(THREAD)(FakeComment(uid="s.1", thread_id=thread_id)) == expected


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
    assert keyed_by(DOMAIN)(comment) == expected


def test_the_uid_stands_in_for_a_user_property_nobody_sent() -> None:
    assert keyed_by(DOMAIN)(FakeComment(uid="s.1")) == b"s.1"


def test_lone_surrogates_survive_and_stay_apart() -> None:
    keys = {keyed_by(THREAD)(FakeComment(thread_id=text)) for text in ("\ud800", "\udc00", "?")}
    assert keys == {b"\xed\xa0\x80", b"\xed\xb0\x80", b"?"}
