"""Who may hand a batch to aiokafka, and when."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.structs import RecordMetadata, TopicPartition
from typing_extensions import override

from bridge.adapters.kafka.batch import Batch
from bridge.adapters.kafka.directory import Shape
from bridge.adapters.kafka.failures import TIMEOUT
from bridge.adapters.kafka.line import REQUESTS_MAX, SPLIT_BYTES_MIN, Line, Producer
from bridge.adapters.kafka.packing import lanes_for, receipts_of
from bridge.adapters.kafka.parcel import Lanes, Parcel, all_parcels
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.delivery import Delivery
from tests.contract.publisher.words import a_delivery


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
    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
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


class Deaf(Producer):
    """Takes what it is given and gets no answers; tells which lanes were packed when each parcel was handed over."""

    def __init__(self, lanes: Lanes) -> None:
        super().__init__(KafkaSettings(bootstrap_servers="127.0.0.1:9"))
        self.taken: list[tuple[int, list[int]]] = []
        self.answers: list[asyncio.Future[Any]] = []
        self._lanes = lanes

    @override
    async def enqueue(self, parcel: Parcel) -> asyncio.Future[Any]:
        parcel.is_enqueued = True
        self.taken.append((parcel.partition, [lane.partition for lane in self._lanes if lane.parcels]))
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    def ack_all(self) -> None:
        for offset, answer in enumerate(self.answers):
            if not answer.done():
                answer.set_result(RecordMetadata("rpa.a", 0, TopicPartition("rpa.a", 0), offset, 0, 0, 0))


def deliveries_of(bytes_each: int, partitions: int = 4) -> tuple[list[Delivery], Lanes]:
    """One a topic; without a key each goes to the partition whose turn it is."""
    deliveries = [a_delivery(f"rpa.{number}", number, key=None, size=bytes_each) for number in range(partitions)]
    shapes = {each.topic: Shape(partitions=partitions, batch_bytes_max=900_000) for each in deliveries}
    turns_taken = {f"rpa.{number}": number for number in range(partitions)}
    return deliveries, lanes_for(deliveries, shapes, turns_taken, None, 1_700_000_000_000)


async def test_of_a_large_call_one_half_is_handed_over_before_the_other_is_packed() -> None:
    _, lanes = deliveries_of(SPLIT_BYTES_MIN // 4)
    producer = Deaf(lanes)
    carrying = asyncio.create_task(Line(producer).carry(lanes))
    await turns()
    assert producer.taken == [(0, [0, 1]), (1, [0, 1])]
    await turns()
    assert producer.taken[2:] == [(2, [0, 1, 2, 3]), (3, [0, 1, 2, 3])]
    producer.ack_all()
    await carrying
    assert all(parcel.is_acked for parcel in all_parcels(lanes))
    producer.cut()


async def test_a_small_call_is_handed_over_at_once() -> None:
    _, lanes = deliveries_of(100)
    producer = Deaf(lanes)
    carrying = asyncio.create_task(Line(producer).carry(lanes))
    await asyncio.sleep(0)
    assert [partition for partition, _ in producer.taken] == [0, 1, 2, 3]
    producer.ack_all()
    await carrying
    producer.cut()


async def test_what_was_not_packed_yet_when_the_call_ended_is_not_sent_and_never_will_be() -> None:
    """I9: behind its receipt nothing of it may leave any more."""
    deliveries, lanes = deliveries_of(SPLIT_BYTES_MIN // 4)
    producer = Deaf(lanes)
    carrying = asyncio.create_task(Line(producer).carry(lanes))
    await asyncio.sleep(0)
    carrying.cancel()
    for parcel in all_parcels(lanes):
        parcel.close(TIMEOUT)
    receipts = receipts_of(deliveries, lanes)
    await turns()
    assert [receipt.code for receipt in receipts] == ["timeout", "timeout", "not_sent", "not_sent"]
    assert [receipt.partition for receipt in receipts] == [0, 1, 2, 3]
    assert len(producer.taken) == 2
    producer.cut()


async def test_a_broker_has_so_many_requests_in_hand_and_no_more() -> None:
    """aiokafka asks before it makes a request, and tells when one is begun and answered."""
    producer = Slow()
    in_hand = producer._sender._in_flight
    for _ in range(REQUESTS_MAX):
        assert in_hand
        assert 1 not in in_hand
        in_hand.add(1)
    assert 1 in in_hand
    assert 2 not in in_hand
    in_hand.remove(1)
    assert 1 not in in_hand
    producer.cut()
