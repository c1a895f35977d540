"""Results that are read while somebody goes through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.platform.wire import decode_result
from bridge.domain.errors import Retry
from bridge.domain.model import Batch, Result, SequenceId, Undecodable
from bridge.domain.position import platform_ids
from bridge.domain.unread import Unread
from tests.fakes.results import raw_result

RAWS = [raw_result(number, {"A": 0.5}) for number in range(5)] + [b"7", raw_result(6)]


class Reader:
    """Counts what it reads."""

    def __init__(self) -> None:
        self.read: list[bytes] = []

    def __call__(self, raw: bytes) -> Result | Undecodable:
        self.read.append(raw)
        return decode_result(raw)


def a_batch(reader: Reader) -> Batch:
    return Batch(
        results=Unread(RAWS, reader), sequence_id=SequenceId("seq-6"), filtered=0, is_end=None, size_asked=len(RAWS)
    )


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 4))
def test_it_is_the_sequence_of_what_is_read(start: int, stop: int, step: int) -> None:
    unread, whole = Unread(RAWS, decode_result), [decode_result(raw) for raw in RAWS]
    assert len(unread) == len(whole)
    assert list(unread) == whole
    assert list(reversed(unread)) == whole[::-1]
    assert list(unread[start:stop:step]) == whole[start:stop:step]
    assert [unread[place] for place in range(-len(RAWS), len(RAWS))] == whole * 2
    with pytest.raises(IndexError):
        _ = unread[len(RAWS)]


def test_ids_are_remembered_from_the_first_time_somebody_goes_through_it() -> None:
    """What could not be decoded has none."""
    reader = Reader()
    batch = a_batch(reader)
    assert [result.raw for result in batch.results] == RAWS
    wanted = ["seq-0", "seq-1", "seq-2", "seq-3", "seq-4", "", "seq-6"]
    assert list(platform_ids(batch)) == wanted
    assert reader.read == RAWS
    assert list(platform_ids(a_batch(Reader()))) == wanted
    assert list(platform_ids(replace(batch, results=list(batch.results)))) == wanted


def test_half_a_reading_leaves_no_half_of_the_ids() -> None:
    unread = Unread(RAWS, decode_result)
    going: Iterator[object] = iter(unread)
    next(going)
    assert len(unread.ids) == len(RAWS)


def test_what_cannot_be_read_at_all_is_told_where_it_is_read() -> None:
    def refuses(raw: bytes) -> Result | Undecodable:
        raise Retry("garbled", code="bad_page")

    unread = Unread(RAWS, refuses)
    assert len(unread) == len(RAWS)
    with pytest.raises(Retry):
        list(unread)


def test_i10_nothing_of_the_texts_is_shown() -> None:
    assert repr(Unread([raw_result(1, text="secret")], decode_result)) == "Unread(1 results)"
