"""What is sent: a batch with its way and its fate, and the parcels of one partition in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bridge.adapters.kafka.batch import Batch, Content
from bridge.adapters.kafka.failures import NOT_SENT, Failure, failure_of, is_answer
from bridge.domain.delivery import Delivery, Outcome

UNKNOWN_OFFSET = -1
DONE = Failure(code="")


class Parcel:
    """A batch with its way and its fate; `indexes` are the places of its records in the call they came from."""

    def __init__(self, topic: str, partition: int, batch: Batch) -> None:
        self.topic = topic
        self.partition = partition
        self.batch = batch
        self.indexes: list[int] = []
        self.is_enqueued = False
        self.error: BaseException | None = None
        self._base_offset: int | None = None
        self._why_open: Failure | None = None

    @property
    def size(self) -> int:
        """Bytes, compressed once it was sent."""
        return self.batch.size()

    def answered(self, sending: asyncio.Future[Any]) -> None:
        """Note what the producer says in the end: an error, or where the first record stands."""
        error = None if sending.cancelled() else sending.exception()
        if sending.cancelled() or self._why_open is not None:
            return
        if error is not None:
            self.error = error
        else:
            self._base_offset = sending.result().offset

    def close(self, why_open: Failure) -> None:
        """No answer counts after this; `why_open` is the reason where there was none."""
        self._why_open = why_open

    @property
    def is_acked(self) -> bool:
        """Every in-sync replica has it (I1)."""
        return self._base_offset is not None

    @property
    def base_offset(self) -> int:
        """Of its first record; -1 where it is not acked, or the broker knew the batch but not its offset any more."""
        return UNKNOWN_OFFSET if self._base_offset is None else self._base_offset

    @property
    def fate(self) -> tuple[Outcome, Failure]:
        """What may be said of its records, once it is closed."""
        if self.is_acked:
            return Outcome.ACKED, DONE
        failure = failure_of(self.error) if self.error else (self._why_open or NOT_SENT)
        if not self.is_enqueued:
            return Outcome.FAILED, failure if self.error else NOT_SENT
        if self.batch.attempts == 0 or (self.was_answered and failure.before_append):
            return Outcome.FAILED, self._of_a_batch(failure)
        return Outcome.UNKNOWN, failure

    @property
    def was_answered(self) -> bool:
        """The first and only request was refused by an answer, so nothing of it is still under way."""
        return self.batch.attempts == 1 and self.error is not None and is_answer(self.error)

    @property
    def is_loose(self) -> bool:
        """It may yet reach the log: handed over, and neither acked nor surely refused."""
        if not self.is_enqueued or self.is_acked or self.was_answered:
            return False
        return self.error is None or self.batch.attempts > 0

    def _of_a_batch(self, failure: Failure) -> Failure:
        """A batch that is too large says nothing of its records while there is more than one."""
        if failure.code == "too_large" and len(self.indexes) > 1:
            return Failure(code="batch_too_large", before_append=True)
        return failure


class Lane:
    """One partition: its parcels go one behind the other, each after the ack of the one before.

    What is behind a parcel that was not acked is not sent, so that it does not overtake (I9). `held` are the
    places in the call of what is not packed yet, `too_large` of what does not fit even alone; `values_bytes` is the
    size of all that ever was held.
    """

    def __init__(
        self,
        topic: str,
        partition: int,
        bytes_max: int,
        compression: str | None,
        *,
        is_transactional: bool = False,
        deliveries: Sequence[Delivery] = (),
        timestamp_ms: int | None = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.parcels: list[Parcel] = []
        self.held: list[int] = []
        self.too_large: list[int] = []
        self.values_bytes = 0
        self._bytes_max = bytes_max
        self._compression = compression
        self._is_transactional = is_transactional
        self._deliveries = deliveries
        self._timestamp_ms = timestamp_ms
        self._next = 0

    def add(self, index: int, timestamp_ms: int | None, content: Content) -> bool:
        """False when the record is too large even alone; the others of the lane are not disturbed."""
        if self.parcels and self.parcels[-1].batch.fill(timestamp_ms, (content,)):
            self.parcels[-1].indexes.append(index)
            return True
        batch = Batch(self._bytes_max, self._compression, is_transactional=self._is_transactional)
        fresh = Parcel(self.topic, self.partition, batch)
        if not fresh.batch.fill(timestamp_ms, (content,)):
            return False
        fresh.indexes.append(index)
        self.parcels.append(fresh)
        return True

    def pack(self) -> None:
        """Make parcels of what is held."""
        held, self.held = self.held, []
        packed = 0
        while packed < len(held):
            index = held[packed]
            packed += 1
            if self.add(index, self._timestamp_ms, self._deliveries[index]):
                packed += self._fill(held[packed:])
            else:
                self.too_large.append(index)

    def _fill(self, indexes: list[int]) -> int:
        """The short way, for what fits the last parcel."""
        parcel = self.parcels[-1]
        count = parcel.batch.fill(self._timestamp_ms, map(self._deliveries.__getitem__, indexes))
        parcel.indexes += indexes[:count]
        return count

    def front(self) -> Parcel | None:
        """The parcel whose turn it is, or None at the end of the lane and behind one that was not acked."""
        self.pack()
        if self._next and not self.parcels[self._next - 1].is_acked:
            return None
        return self.parcels[self._next] if self._next < len(self.parcels) else None

    def step(self) -> None:
        """The front is on its way."""
        self._next += 1


Lanes = list[Lane]
"""What one call sends."""


def all_parcels(lanes: Lanes) -> list[Parcel]:
    """Every parcel of a call."""
    return [parcel for lane in lanes for parcel in lane.parcels]
