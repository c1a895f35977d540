"""One idempotent producer and what is under way on it."""
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from itertools import accumulate
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerClosed
from typing_extensions import override

from bridge.adapters.kafka.budget import Budget
from bridge.adapters.kafka.client import CLOSE_TIMEOUT_S, Client
from bridge.adapters.kafka.connection import client_options
from bridge.adapters.kafka.failures import FOREIGN
from bridge.adapters.kafka.parcel import Lane, Lanes, Parcel
from bridge.adapters.kafka.settings import KafkaSettings

BATCH_BYTES_MAX = 900_000
"""Under the broker's own default of 1,048,588 for a batch (D13)."""
ROUND_BYTES_MAX = 8_000_000
"""What one call has under way at one time."""
LINE_BYTES_MAX = 32_000_000
"""What all calls have under way together, and so the largest request: a third of what a broker takes by default."""
SPLIT_BYTES_MIN = 256_000
"""Less goes in one request: it would cost more CPU in two than it saves time."""
REQUESTS_MAX = 2
"""What a broker has in hand of one producer at a time. Each is about other partitions, so none overtakes (I9)."""
TURNS_TO_LEAVE = 5
"""Of the event loop, until aiokafka has written what was handed over; with fewer it waits for the next as well."""
EPOCH_MAX = 2**15 - 1
TRANSACTION_TIMEOUT_MS = 15_000
"""How long a dead owner's open transaction can keep read_committed consumers waiting; then the broker aborts it."""


class Identity(NamedTuple):
    """What a broker knows a producer by. On each partition the highest epoch seen shuts the lower ones out."""

    producer_id: int
    epoch: int

    def successor(self) -> Identity | None:
        """The identity that fences this one; None when the epochs are used up."""
        return Identity(self.producer_id, self.epoch + 1) if self.epoch < EPOCH_MAX else None


class InHand:
    """In the place of aiokafka's set of the brokers that have a request in hand, which allows each of them one.

    With one the broker idles from its answer until we have read it and written the next.
    """

    def __init__(self) -> None:
        self._requests: Counter[Any] = Counter()

    def __contains__(self, node_id: Any) -> bool:
        return self._requests[node_id] >= REQUESTS_MAX

    def add(self, node_id: Any) -> None:
        self._requests[node_id] += 1

    def remove(self, node_id: Any) -> None:
        self._requests[node_id] -= 1


class Producer(AIOKafkaProducer):
    """aiokafka's idempotent producer, which can be stopped at once and can succeed another."""

    client: Client

    def __init__(
        self, settings: KafkaSettings, identity: Identity | None = None, transactional_id: str | None = None
    ) -> None:
        super().__init__(
            **client_options(settings),
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            compression_type=settings.compression,
            max_batch_size=BATCH_BYTES_MAX,
            transactional_id=transactional_id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        )
        Client.narrow(self.client)
        self._sender._in_flight = InHand()  # noqa: SLF001  the only way to more than one
        self._queues: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        if identity is not None:
            # A producer without transactions may raise its epoch by itself, as Kafka's own client does.
            self._txn_manager.set_pid_and_epoch(*identity)

    @property
    def identity(self) -> Identity:
        """The one it writes under; known once started."""
        return Identity(self._txn_manager.producer_id, self._txn_manager.producer_epoch)

    @property
    def is_alive(self) -> bool:
        """It can still send."""
        task = self._sender.sender_task
        return not self.client.is_cut and task is not None and not task.done()

    async def enqueue(self, parcel: Parcel) -> asyncio.Future[Any]:
        """Hand over a batch, after those that wait for the same partition; the future is the broker's answer."""
        # aiokafka wakes all who wait for a partition and lets one in: with 200 triggers that was half of all CPU.
        async with self._queues[parcel.topic, parcel.partition]:
            if not self.is_alive:
                raise ProducerClosed("the producer is given up")
            sending: asyncio.Future[Any] = await self.send_batch(parcel.batch, parcel.topic, partition=parcel.partition)
            parcel.is_enqueued = True
            return sending

    def cut(self) -> None:
        """Stop at once, without `stop()`, which waits for what may never come."""
        self._closed = True
        self.client.cut()
        if self._sender.sender_task is not None:
            self._sender.sender_task.cancel()

    async def reap(self) -> None:
        """Wait, for a bounded time, until nothing of a cut producer is left running."""
        await self.client.reap()
        if self._sender.sender_task is not None:
            await asyncio.wait({self._sender.sender_task}, timeout=CLOSE_TIMEOUT_S)

    @override
    def _partition(self, topic: str, partition: int, *_: object) -> int:
        """The partition is chosen before; one that is gone is refused by the broker, not by an assertion."""
        return partition


class Line:
    """A producer with its users. Once `given_up` everybody on it leaves at once; none of them hangs."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.given_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.users = 0
        self._budget = Budget(LINE_BYTES_MAX)

    @property
    def client(self) -> Client:
        """For questions about topics over the same connections."""
        return self.producer.client

    def give_up(self, reason: str) -> None:
        """Nothing leaves it after this."""
        self.producer.cut()
        if not self.given_up.done():
            self.given_up.set_result(reason)

    async def carry(self, lanes: Lanes) -> None:
        """Send all of it, a round of the lanes' fronts at a time; the fates are in the parcels.

        Where there is enough, the broker has one half in hand while the other is packed. Some may be packed already.
        """
        if ahead := first_half(lanes):
            fronts = _next_round(ahead)
            async with self._budget.taken(2 * _size(fronts)):
                sent = await self._enqueued(fronts)
                await let_it_leave()
                await _answers(sent + await self._enqueued(_next_round(lanes)))
        while fronts := _next_round(lanes):
            async with self._budget.taken(_size(fronts)):
                await _answers(await self._enqueued(fronts))

    async def _enqueued(self, parcels: list[Parcel]) -> list[asyncio.Future[Any]]:
        return [sending for parcel in parcels if (sending := await self._enqueue(parcel))]

    async def _enqueue(self, parcel: Parcel) -> asyncio.Future[Any] | None:
        try:
            sending = await self.producer.enqueue(parcel)
        except FOREIGN as error:
            parcel.error = error
            return None
        sending.add_done_callback(parcel.answered)
        return sending


async def let_it_leave() -> None:
    """Until what was handed to aiokafka is on the wire, if nothing is in its way."""
    for _ in range(TURNS_TO_LEAVE):
        await asyncio.sleep(0)  # noqa: TID251  a turn of the loop, no time


async def _answers(sent: list[asyncio.Future[Any]]) -> None:
    if sent:
        await asyncio.wait(sent)


def _size(parcels: list[Parcel]) -> int:
    return sum(parcel.size for parcel in parcels)


def first_half(lanes: Lanes) -> Lanes:
    """The lanes with at least half of what is to be sent; none where one request, or one round, is better."""
    whole = sum(sizes := [lane.values_bytes for lane in lanes])
    if not SPLIT_BYTES_MIN <= whole <= ROUND_BYTES_MAX:
        return []
    count = next(count for count, size in enumerate(accumulate(sizes), 1) if 2 * size >= whole)
    return lanes[:count] if count < len(lanes) else []


def _next_round(lanes: Lanes) -> list[Parcel]:
    """The fronts that fit a round, at least one; each is on its way from here on."""
    fronts: list[Parcel] = []
    size = 0
    for lane, parcel in _fronts(lanes):
        size += parcel.size
        if fronts and size > ROUND_BYTES_MAX:
            break
        lane.step()
        fronts.append(parcel)
    return fronts


def _fronts(lanes: Lanes) -> list[tuple[Lane, Parcel]]:
    return [(lane, parcel) for lane in lanes if (parcel := lane.front()) is not None]
