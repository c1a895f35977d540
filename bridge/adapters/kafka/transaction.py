"""One transactional producer, from its initialisation to its first doubt."""
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    OperationNotAttempted,
    ProducerClosed,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import TopicPartition
from typing_extensions import override

from bridge.adapters.kafka.failures import NOT_SENT
from bridge.adapters.kafka.line import Line, Producer, let_it_leave
from bridge.adapters.kafka.parcel import Lanes, Parcel, all_parcels
from bridge.adapters.kafka.settings import KafkaSettings


class TransactionalProducer(Producer):
    """aiokafka's transactional producer. Starting it fences who has the id, and ends what that one left open."""

    def __init__(self, settings: KafkaSettings, transactional_id: str) -> None:
        super().__init__(settings, transactional_id=transactional_id)

    async def begin(self) -> None:
        """Open a transaction; the broker hears of it with the first partition."""
        self._refuse_if_dead()
        await self.begin_transaction()
        self._txn_manager.wait_for_transaction_end().add_done_callback(_look_at)

    async def announce(self, lanes: Lanes) -> None:
        """Tell the broker which partitions it will be about; the answer need not be waited for with empty hands."""
        for lane in lanes:
            self._txn_manager.maybe_add_partition_to_txn(TopicPartition(lane.topic, lane.partition))
        await let_it_leave()

    async def commit(self) -> None:
        """Returns once the broker has promised it; whatever it raises, it may yet be committed."""
        self._refuse_if_dead()
        await self.commit_transaction()

    async def abort(self) -> None:
        """Returns once nothing of the transaction will ever be visible."""
        self._refuse_if_dead()
        aborting = asyncio.ensure_future(self.abort_transaction())
        self._txn_manager.wait_for_transaction_end().add_done_callback(_look_at)
        await aborting

    @override
    async def enqueue(self, parcel: Parcel) -> asyncio.Future[Any]:
        """As inherited; refused once the transaction has met an error, for aiokafka would only assert that."""
        if not self._txn_manager.is_in_transaction():
            raise self._why_not(parcel.topic)
        return await super().enqueue(parcel)

    def _why_not(self, topic: str) -> KafkaError:
        """A topic that may not be written spoils the transaction for the others, which are not to blame."""
        end = self._txn_manager.wait_for_transaction_end()
        error = end.exception() if end.done() else None
        if not isinstance(error, TopicAuthorizationFailedError):
            return ProducerClosed("the transaction has failed")
        return error if topic in error.args[0] else OperationNotAttempted()

    @override
    def cut(self) -> None:
        """As inherited. What waits in the accumulator is told, or an abort under way would wait for it for ever."""
        super().cut()
        self._message_accumulator.fail_all(ProducerClosed("cut off"))

    @override
    async def reap(self) -> None:
        await super().reap()
        waiting = [batch for batches in self._message_accumulator._batches.values() for batch in batches]  # noqa: SLF001
        ends = [self._txn_manager.wait_for_transaction_end(), *(batch._drain_waiter for batch in waiting)]  # noqa: SLF001
        for end in ends:
            if end is not None and end.done():
                _look_at(end)

    def _refuse_if_dead(self) -> None:
        if self._txn_manager.is_fatal_error():
            self._txn_manager.wait_for_transaction_end().result()
        if not self.is_alive:
            raise ProducerClosed("the producer is given up")


class Session:
    """Carries one transaction at a time. After anything but a commit it must be ended and never used again (D14)."""

    def __init__(self, producer: TransactionalProducer) -> None:
        self.producer = producer
        self.line = Line(producer)

    async def carried(self, lanes: Lanes) -> bool:
        """True: committed. False: refused by an answer and aborted; the fates are in the parcels.

        Whatever it raises, cancellation included, leaves the outcome open.
        """
        await self.producer.begin()
        await self.producer.announce(lanes)
        for lane in lanes:
            lane.pack()
        parcels = all_parcels(lanes)
        fits = not any(lane.too_large for lane in lanes)
        if fits:
            await self.line.carry(lanes)
        # Otherwise nothing is sent: the others wait for the pass that makes dead letters of what is too large.
        for parcel in parcels:
            parcel.close(NOT_SENT)
        if fits and all(parcel.is_acked for parcel in parcels):
            await self.producer.commit()
            return True
        loose = next((parcel for parcel in parcels if parcel.is_loose), None)
        if loose is not None:
            raise loose.error or KafkaTimeoutError("a batch was not answered")
        await self.producer.abort()
        return False


def _look_at(end: asyncio.Future[Any]) -> None:
    """Whoever waited has the error; when nobody waits any more asyncio would complain."""
    if not end.cancelled():
        end.exception()
