"""Records as a subscriber sees them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord

from tests.neighbours.records import read_records


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


async def read_topics(bootstrap_servers: str, topics: Sequence[str]) -> list[Read]:
    """Every record up to the ends of now, in the order of topic, partition and offset."""
    return [_read(record) for record in await read_records(bootstrap_servers, topics)]


def _read(message: ConsumerRecord[bytes, bytes]) -> Read:
    return Read(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        appended_ms=message.timestamp,
        key=message.key,
        value=message.value or b"",
        headers={name: value.decode() for name, value in message.headers},
    )
