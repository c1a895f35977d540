"""The record batch: byte for byte what aiokafka's own builder makes of the same records."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.kafka.batch import CODECS, HEADER_BYTES, NAMES, VARINTS, Batch, PlainContent

NOW_MS = 1_700_000_000_000
ROOM = 10_000_000
ALL_NAMES = ("ce_id", "ce_subject", "ce_time", "bridge_error")
SAME_NAMES = [ALL_NAMES[:count] for count in range(len(ALL_NAMES) + 1)]
SHARED = (("ce_type", b"com.reinfer.trigger.result.v1"), ("traceparent", b"00-1-2-01"))

headers = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=200)), max_size=4).map(tuple)
lengths = st.sampled_from([0, 1, 63, 64, 100, 8_191, 8_192, 20_000])
values = st.binary(max_size=70) | lengths.map(bytes)


@st.composite
def contents(draw: st.DrawFn) -> PlainContent:
    """Of some the names are one object, as they are of the records of a route, of others they only look alike."""
    own = draw(headers)
    return PlainContent(
        draw(st.none() | values),
        draw(values),
        draw(values),
        draw(st.sampled_from([(), SHARED]) | headers),
        draw(st.sampled_from([SAME_NAMES[len(own)], tuple(name for name, _ in own)])),
        tuple(text for _, text in own),
    )


def inherited(
    filled: list[tuple[int, list[PlainContent]]], compression: str | None = None, *, is_transactional: bool = False
) -> bytes:
    """What aiokafka writes."""
    builder = DefaultRecordBatchBuilder(2, CODECS[compression], is_transactional, 77, 3, 1_000, ROOM)
    count = 0
    for timestamp_ms, some in filled:
        for each in some:
            both = [*each.shared_headers, *zip(each.own_names, each.own_texts, strict=True)]
            assert builder.append(count, timestamp_ms, each.key, each.front + each.rest, both) is not None
            count += 1
    return bytes(builder.build())


def ours(
    filled: list[tuple[int, list[PlainContent]]], compression: str | None = None, *, is_transactional: bool = False
) -> Batch:
    batch = Batch(ROOM, compression, is_transactional=is_transactional)
    for timestamp_ms, some in filled:
        assert batch.fill(timestamp_ms, some) == len(some)
    batch._set_producer_state(77, 3, 1_000)
    return batch


@given(
    some=st.lists(contents(), min_size=1, max_size=8),
    more=st.lists(contents(), max_size=3),
    later_ms=st.sampled_from([-5, 0, 1, 100, 10**10]),
    is_transactional=st.booleans(),
)
def test_its_bytes_are_those_of_aiokafka(
    some: list[PlainContent], more: list[PlainContent], later_ms: int, *, is_transactional: bool
) -> None:
    filled = [(NOW_MS, some), (NOW_MS + later_ms, more)] if more else [(NOW_MS, some)]
    batch = ours(filled, is_transactional=is_transactional)
    assert batch.size() == len(batch) == len(batch.written())
    assert batch.written() == inherited(filled, is_transactional=is_transactional)
    assert batch.record_count() == len(some) + len(more)


@pytest.mark.parametrize("compression", [each for each in CODECS if each])
def test_compressed_too(compression: str) -> None:
    filled = [(NOW_MS, [PlainContent(b"k", b"please settle the trade of last week; " * 50)])]
    batch = ours(filled, compression)
    batch._build()
    assert batch.written() == inherited(filled, compression)
    assert len(batch) == batch.size() == len(batch.written())


@pytest.mark.parametrize("compression", [each for each in CODECS if each])
def test_what_compressing_would_make_larger_stays_as_it_is(compression: str) -> None:
    """It may fill a batch to the last byte that the topic takes."""
    filled = [(NOW_MS, [PlainContent(b"k", b"v")])]
    assert ours(filled, compression).written() == inherited(filled)


def test_what_was_handed_over_takes_no_more() -> None:
    """What is added to it then would be neither sent nor missed (I1)."""
    batch = ours([(NOW_MS, [PlainContent(b"k", b"v")])])
    batch._build()
    assert batch.fill(NOW_MS, [PlainContent(b"k", b"w")]) == 0
    assert batch.record_count() == 1


def test_what_it_could_not_take_leaves_no_trace_of_its_time() -> None:
    batch = Batch(100, None, is_transactional=False)
    assert batch.fill(NOW_MS, [PlainContent(b"k", b"v")]) == 1
    assert batch.fill(NOW_MS + 1_000, [PlainContent(b"k", b"v" * 100)]) == 0
    assert DefaultRecordBatch(batch.written()).max_timestamp == NOW_MS


def test_what_does_not_fit_changes_nothing() -> None:
    """An empty batch included: the record may be too large for any."""
    alone = len(inherited([(NOW_MS, [PlainContent(b"k", b"v" * 500)])]))
    batch = Batch(alone, None, is_transactional=False)
    assert batch.fill(NOW_MS, [PlainContent(b"k", b"v" * 501)]) == 0
    assert (batch.size(), batch.record_count()) == (HEADER_BYTES, 0)
    assert batch.fill(NOW_MS, [PlainContent(b"k", b"v" * 500), PlainContent(None, b"")]) == 1
    before = batch.size()
    assert before == alone
    assert batch.fill(NOW_MS, [PlainContent(None, b"")]) == 0
    assert (batch.size(), batch.record_count()) == (before, 1)


def test_without_a_time_it_is_now() -> None:
    batch = Batch(ROOM, None, is_transactional=False)
    assert batch.fill(None, [PlainContent(b"k", b"v")]) == 1
    (record,) = DefaultRecordBatch(batch.written())
    assert record.timestamp > NOW_MS


def test_what_is_remembered_is_bounded() -> None:
    """Names come from dead letters of others too, when they are sent again."""
    batch = Batch(ROOM, None, is_transactional=False)
    for number in range(2_000):
        assert batch.fill(NOW_MS, [PlainContent(None, bytes(number), shared_headers=((f"name {number}", b""),))])
    assert len(NAMES) <= 1_024
    assert len(VARINTS) <= 16_384
    assert len(list(DefaultRecordBatch(batch.written()))) == batch.record_count()
