"""Reading topics back, as a consumer that trusts nobody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One record as it stands on a topic; `appended_ms` is the broker's time where the topic keeps it."""

    topic: str
    partition: int
    offset: int
    appended_ms: int
    key: bytes | None
    value: bytes
    headers: dict[str, str]

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.value)
        return found

    @property
    def ce_id(self) -> str:
        return self.headers["ce_id"]

    @property
    def uid(self) -> str:
        return self.headers["ce_subject"]

    @property
    def generation(self) -> int:
        return int(self.headers["ce_generation"])


async def read_topics(bootstrap_servers: str, topics: Sequence[str], partitions_each: int) -> list[Read]:
    """Every record up to the ends of now, read_committed, in the order of topic, partition and offset."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for topic in topics for number in range(partitions_each)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Read] = []
        while [at for at, end in ends.items() if await consumer.position(at) < end]:
            for at, messages in (await consumer.getmany(timeout_ms=500)).items():
                found += [_read(message) for message in messages if message.offset < ends[at]]
        return sorted(found, key=lambda read: (read.topic, read.partition, read.offset))
    finally:
        await consumer.stop()


def _read(message: Any) -> Read:
    return Read(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        appended_ms=message.timestamp,
        key=message.key,
        value=message.value,
        headers={name: value.decode() for name, value in message.headers},
    )
