"""Deliveries into lanes of parcels, and their fates back into receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from murmurhash2 import murmurhash2

from bridge.adapters.kafka.directory import Shape
from bridge.adapters.kafka.failures import NOT_SENT, TOO_LARGE, Failure
from bridge.adapters.kafka.parcel import UNKNOWN_OFFSET, Lane, Lanes, all_parcels
from bridge.domain.delivery import Ack, AllAcked, Delivery, Outcome, Receipt

SEED = 0x9747B28C
POSITIVE = 0x7FFFFFFF


class Ready(list[Delivery]):
    """Deliveries with their lanes, of which some may be packed already, by what was known of the topics by then."""

    def __init__(self, deliveries: Sequence[Delivery], lanes: Lanes) -> None:
        super().__init__(deliveries)
        self._lanes: Lanes | None = lanes

    def take(self) -> Lanes | None:
        """The lanes, once: what they hold is not to be sent a second time."""
        lanes, self._lanes = self._lanes, None
        return lanes


def partition_of(key: bytes, partitions: int) -> int:
    """The partition every Kafka client gives a key unless told otherwise: Murmur2, made positive (D13)."""
    return (murmurhash2(key, SEED) & POSITIVE) % partitions


def lanes_for(
    deliveries: Sequence[Delivery],
    shapes: Mapping[str, Shape],
    turns: Mapping[str, int],
    compression: str | None,
    timestamp_ms: int,
    *,
    is_transactional: bool = False,
) -> Lanes:
    """Group by partition, in order. Without a key all of a topic go to one partition, a batch for a batch (`turns`)."""
    lanes: dict[tuple[str, int], Lane] = {}
    for index, delivery in enumerate(deliveries):
        topic, key = delivery.topic, delivery.key
        shape = shapes[topic]
        partition = turns[topic] % shape.partitions if key is None else partition_of(key, shape.partitions)
        lane = lanes.get((topic, partition))
        if lane is None:
            lane = lanes[topic, partition] = Lane(
                topic,
                partition,
                shape.batch_bytes_max,
                compression,
                is_transactional=is_transactional,
                deliveries=deliveries,
                timestamp_ms=timestamp_ms,
            )
        lane.held.append(index)
        lane.values_bytes += len(delivery.front) + len(delivery.rest)
    return list(lanes.values())


def receipts_of(deliveries: Sequence[Delivery], lanes: Lanes) -> Sequence[Receipt]:
    """One receipt for each delivery, in their order."""
    parcels = all_parcels(lanes)
    is_known = parcels and all(parcel.base_offset >= 0 for parcel in parcels)
    if is_known and not any(lane.held or lane.too_large for lane in lanes):
        return AllAcked(deliveries, [Ack(it.topic, it.partition, it.base_offset, it.indexes) for it in parcels])
    receipts: dict[int, Receipt] = {}
    for parcel in parcels:
        outcome, failure = parcel.fate
        for place, index in enumerate(parcel.indexes):
            offset = UNKNOWN_OFFSET if parcel.base_offset < 0 else parcel.base_offset + place
            receipts[index] = _receipt(deliveries[index], parcel.partition, outcome, failure, offset)
    for lane in lanes:
        for index in lane.too_large:
            receipts[index] = _receipt(deliveries[index], lane.partition, Outcome.FAILED, TOO_LARGE)
        for index in lane.held:
            receipts[index] = _receipt(deliveries[index], lane.partition, Outcome.FAILED, NOT_SENT)
    return [receipts[index] for index in range(len(deliveries))]


def _receipt(
    delivery: Delivery, partition: int, outcome: Outcome, failure: Failure, offset: int = UNKNOWN_OFFSET
) -> Receipt:
    return Receipt(
        mark=delivery.mark,
        outcome=outcome,
        topic=delivery.topic,
        partition=partition,
        offset=offset,
        code=failure.code,
        blocked=failure.blocked,
    )
