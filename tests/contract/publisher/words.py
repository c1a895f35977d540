"""Deliveries for the tests of the publisher, and the log as a second client reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from bridge.domain.delivery import Delivery, Outcome, Receipt, mark_key
from bridge.domain.model import Generation, SequenceId

READ_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record as it stands in a log."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def a_delivery(topic: str, number: int, *, key: bytes | None = b"thread-1", size: int = 0) -> Delivery:
    """The delivery of that number; `size` pads its value with what does not compress."""
    sequence_id = SequenceId(f"seq-{number}")
    value = b'{"number": %d}' % number
    return Delivery(
        mark=mark_key("org1/collateral/dispute", Generation(0), sequence_id, topic),
        topic=topic,
        route="urgent",
        key=key,
        front=value,
        rest=_noise(size - len(value), number),
        shared_headers=(("content-type", b"application/json"),),
        own_names=("ce_id",),
        own_texts=(b"%032x" % number,),
        sequence_id=sequence_id,
        uid=f"uid-{number}",
    )


def numbered(topic: str, numbers: Sequence[int], *, keys: int = 5, size: int = 0) -> list[Delivery]:
    """Deliveries in order, over a few keys."""
    return [a_delivery(topic, number, key=b"thread-%d" % (number % keys), size=size) for number in numbers]


def number_of(row: Row) -> int:
    """Which delivery a row is."""
    return int(dict(row.headers)["ce_id"], 16)


def outcomes(receipts: Sequence[Receipt]) -> list[Outcome]:
    """Their outcomes, in order."""
    return [receipt.outcome for receipt in receipts]


def all_acked(receipts: Sequence[Receipt]) -> bool:
    """There are some, and each is acked."""
    return bool(receipts) and all(receipt.outcome is Outcome.ACKED for receipt in receipts)


async def rows_of(bootstrap_servers: str, topic: str) -> list[Row]:
    """Everything a topic holds, by partition and offset, as librdkafka sees it."""
    return await asyncio.to_thread(_read, bootstrap_servers, topic)


def _read(bootstrap_servers: str, topic: str) -> list[Row]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "reader-of-tests",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 10,
        }
    )
    try:
        places = sorted(consumer.list_topics(topic, timeout=READ_TIMEOUT_S).topics[topic].partitions)
        ends = {place: _ends(consumer, topic, place) for place in places}
        wanted = sum(high - low for low, high in ends.values())
        consumer.assign([TopicPartition(topic, place, low) for place, (low, _) in ends.items()])
        rows = [_next(consumer, topic, wanted) for _ in range(wanted)]
    finally:
        consumer.close()
    return sorted(rows, key=lambda row: (row.partition, row.offset))


def _ends(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=READ_TIMEOUT_S)
    return low, high


def _next(consumer: Consumer, topic: str, wanted: int) -> Row:
    message = consumer.poll(READ_TIMEOUT_S)
    assert message is not None, f"not all of the {wanted} records of {topic} came"
    assert message.error() is None, message.error()
    return _row(message)


def _row(message: Any) -> Row:
    return Row(
        partition=message.partition(),
        offset=message.offset(),
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),
    )


def _noise(size: int, seed: int) -> bytes:
    if size <= 0:
        return b""
    state, chunks = seed + 1, bytearray()
    while len(chunks) < size:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        chunks += state.to_bytes(8, "big")
    return bytes(chunks[:size])
