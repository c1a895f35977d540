"""Records into batches: the partition of a key, the order, the limits."""

from __future__ import annotations

import ctypes
from collections import Counter
from pathlib import Path

import confluent_kafka
import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.kafka.directory import Shape
from bridge.adapters.kafka.packing import lanes_for, partition_of, receipts_of
from bridge.adapters.kafka.parcel import Lane, Lanes, all_parcels
from bridge.domain.delivery import Delivery, Outcome, mark_key
from bridge.domain.model import Generation, SequenceId

LIMIT = 2_000
HEADERS = (("ce_id", b"0123456789abcdef"), ("ce_type", "é".encode()))
SHAPES = {"rpa.a": Shape(partitions=3, batch_bytes_max=LIMIT), "rpa.b": Shape(partitions=1, batch_bytes_max=LIMIT)}
# What a record costs beside its key, value and headers, and the header of its batch: 21 and 61 at most.
OVERHEAD_MAX = 100

Sketch = tuple[str, bytes | None, int]

sketches = st.lists(
    st.tuples(
        st.sampled_from(sorted(SHAPES)),
        st.none() | st.sampled_from([b"", b"one", b"two", b"three", b"k" * (LIMIT + 1)]),
        st.integers(0, LIMIT + 200),
    ),
    max_size=25,
)


def deliveries_of(sketched: list[Sketch]) -> list[Delivery]:
    return [
        Delivery(
            mark=mark_key("t", Generation(0), SequenceId(str(number)), topic),
            topic=topic,
            route="r",
            key=key,
            front=b"v" * (size // 3),
            rest=b"v" * (size - size // 3),
            shared_headers=HEADERS[:1],
            own_names=tuple(name for name, _ in HEADERS[1:]),
            own_texts=tuple(text for _, text in HEADERS[1:]),
            sequence_id=SequenceId(str(number)),
            uid=str(number),
        )
        for number, (topic, key, size) in enumerate(sketched)
    ]


def packed_of(deliveries: list[Delivery]) -> Lanes:
    lanes = lanes_for(deliveries, SHAPES, Counter(), None, 1_700_000_000_000)
    for lane in lanes:
        lane.pack()
    return lanes


def too_large_of(lanes: Lanes) -> set[int]:
    return {index for lane in lanes for index in lane.too_large}


@given(key=st.binary(max_size=80), partitions=st.integers(1, 400))
def test_the_partition_is_aiokafkas(key: bytes, partitions: int) -> None:
    everywhere = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, everywhere, everywhere)


@pytest.fixture(scope="module")
def librdkafka() -> ctypes.CDLL:
    directory = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    return ctypes.CDLL(str(next(directory.glob("librdkafka-*.so*"))))


@given(key=st.binary(max_size=80), partitions=st.integers(1, 400))
def test_the_partition_is_librdkafkas(librdkafka: ctypes.CDLL, key: bytes, partitions: int) -> None:
    theirs = librdkafka.rd_kafka_msg_partitioner_murmur2(None, key, ctypes.c_size_t(len(key)), partitions, None, None)
    assert partition_of(key, partitions) == theirs


def test_recorded_partitions_of_keys() -> None:
    """A key that moves to another partition overtakes itself (I9)."""
    keys = [b"", b"a", b"thread-1", "Ünïcode".encode(), b"\x00\xff" * 9]
    assert [partition_of(key, 12) for key in keys] == [9, 4, 2, 5, 0]


@given(sketches)
def test_every_delivery_is_packed_once_in_order_within_the_limit(sketched: list[Sketch]) -> None:
    deliveries = deliveries_of(sketched)
    lanes = packed_of(deliveries)
    places = [index for parcel in all_parcels(lanes) for index in parcel.indexes]
    assert sorted([*places, *too_large_of(lanes)]) == list(range(len(deliveries)))
    for lane in lanes:
        indexes = [index for parcel in lane.parcels for index in parcel.indexes]
        assert indexes == sorted(indexes)
        assert all(deliveries[index].topic == lane.topic for index in indexes)
        assert all(
            parcel.size <= LIMIT and parcel.batch.record_count() == len(parcel.indexes) for parcel in lane.parcels
        )


@given(sketches)
def test_the_short_way_packs_what_adding_one_by_one_would(sketched: list[Sketch]) -> None:
    deliveries = deliveries_of(sketched)
    for lane in lanes_for(deliveries, SHAPES, Counter(), None, 1_700_000_000_000):
        slow = Lane(lane.topic, lane.partition, LIMIT, None)
        for index in lane.held:
            slow.add(index, 1_700_000_000_000, deliveries[index])
        lane.pack()
        assert [parcel.indexes for parcel in lane.parcels] == [parcel.indexes for parcel in slow.parcels]
        assert [p.batch.written() for p in lane.parcels] == [p.batch.written() for p in slow.parcels]


@given(sketches)
def test_only_what_does_not_fit_alone_is_too_large(sketched: list[Sketch]) -> None:
    deliveries = deliveries_of(sketched)
    too_large = too_large_of(packed_of(deliveries))
    for index, delivery in enumerate(deliveries):
        content = len(delivery.value) + len(delivery.key or b"") + sum(len(n) + len(v) for n, v in HEADERS)
        assert index in too_large or content <= LIMIT
        assert index not in too_large or content + OVERHEAD_MAX > LIMIT


@given(sketches)
def test_a_key_is_on_one_partition(sketched: list[Sketch]) -> None:
    deliveries = deliveries_of(sketched)
    for lane in packed_of(deliveries):
        for index in (index for parcel in lane.parcels for index in parcel.indexes):
            key = deliveries[index].key
            assert key is None or lane.partition == partition_of(key, SHAPES[lane.topic].partitions)


@given(sketches)
def test_there_is_one_receipt_for_each_delivery_and_what_was_not_sent_is_failed(sketched: list[Sketch]) -> None:
    deliveries = deliveries_of(sketched)
    lanes = packed_of(deliveries)
    receipts = receipts_of(deliveries, lanes)
    assert [receipt.mark for receipt in receipts] == [delivery.mark for delivery in deliveries]
    assert [receipt.topic for receipt in receipts] == [delivery.topic for delivery in deliveries]
    assert all(receipt.outcome is Outcome.FAILED for receipt in receipts)
    assert {at for at, receipt in enumerate(receipts) if receipt.code == "too_large"} == too_large_of(lanes)


def test_records_without_a_key_go_where_the_turn_says() -> None:
    deliveries = deliveries_of([("rpa.a", None, 5), ("rpa.a", b"one", 5), ("rpa.a", None, 5)])
    for turn in range(7):
        lanes = lanes_for(deliveries, SHAPES, Counter({"rpa.a": turn}), None, 0)
        of_turn = {lane.partition for lane in lanes if 0 in lane.held}
        assert of_turn == {turn % 3}
