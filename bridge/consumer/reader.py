"""Reading the position records with aiokafka, for subscribers that ask what is complete."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.consumer.complete import CompleteUpTo, complete_up_to

POLL_MS = 100
TIMEOUT_S = 30.0


async def read_complete(deployment: str, *, timeout_s: float = TIMEOUT_S, **kafka: Any) -> Mapping[str, CompleteUpTo]:
    """Where each trigger of a deployment stands now, by its name; those without `exactly_once` have no position.

    `kafka` are aiokafka's connection options, `bootstrap_servers` first. Raises TimeoutError and aiokafka's errors.
    """
    place = TopicPartition(f"bridge.{deployment}.state", 0)
    consumer = AIOKafkaConsumer(
        **kafka,
        group_id=None,
        enable_auto_commit=False,
        # A seek after the assignment would race with the consumer's own first step to the beginning.
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    async with asyncio.timeout(timeout_s), consumer:
        consumer.assign([place])
        end = (await consumer.end_offsets([place]))[place]
        records: list[tuple[bytes | None, bytes | None]] = []
        while await consumer.position(place) < end:
            for batch in (await consumer.getmany(place, timeout_ms=POLL_MS)).values():
                records += [(each.key, each.value) for each in batch]
    return complete_up_to(records)
