"""Who may hand a batch to aiokafka, and when."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.producer.message_accumulator import BatchBuilder
from typing_extensions import override

from bridge.adapters.kafka.line import Producer
from bridge.adapters.kafka.parcel import Batch, Parcel
from bridge.adapters.kafka.settings import KafkaSettings


class Slow(Producer):
    """Its batches wait for their partition until told to go on."""

    def __init__(self) -> None:
        super().__init__(KafkaSettings(bootstrap_servers="127.0.0.1:9"))
        self.waiting: list[tuple[int, object]] = []
        self.go_on = asyncio.Semaphore(0)

    @property
    @override
    def is_alive(self) -> bool:
        return True

    @override
    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[Any]:
        self.waiting.append((partition, batch))
        await self.go_on.acquire()
        return asyncio.get_running_loop().create_future()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_call_at_a_time_waits_for_a_partition_and_the_others_stand_in_line() -> None:
    """aiokafka wakes everybody who waits for a partition, and lets one in."""
    producer = Slow()
    parcels = [
        Parcel("rpa.urgent", partition, Batch(1_000, None, is_transactional=False)) for partition in (0, 0, 0, 1)
    ]
    calls = [asyncio.create_task(producer.enqueue(parcel)) for parcel in parcels]
    await turns()
    assert producer.waiting == [(0, parcels[0].batch), (1, parcels[3].batch)]
    calls[1].cancel()
    for _ in parcels:
        producer.go_on.release()
    await asyncio.wait(calls)
    assert producer.waiting[2:] == [(0, parcels[2].batch)]
    assert [parcel.is_enqueued for parcel in parcels] == [True, False, True, True]
    producer.cut()
