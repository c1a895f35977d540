"""What one fetch brought: the batches that a read_committed consumer may see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import CorruptRecordException
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord
from aiokafka.record.memory_records import MemoryRecords

from bridge.domain.topic_record import Writer

MAGIC_WITH_HEADERS = 2
NOBODY = Writer(-1, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One partition of an answer; `stable_end` is where the first open transaction begins, or the end."""

    stable_end: int
    log_start: int
    aborted: Sequence[tuple[int, int]]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogBatch:
    """A producer's batch as it lies in the log. `base_sequence` counts the producer's records on this partition."""

    writer: Writer
    is_transactional: bool
    base_sequence: int
    base_offset: int
    next_offset: int
    records: Sequence[Any]


def committed_batches(fetched: Fetched) -> Iterator[LogBatch]:
    """In the log's order. A batch of an aborted transaction and a marker come without records, for their offsets."""
    aborts = sorted(fetched.aborted, key=lambda each: each[1], reverse=True)
    aborted: set[int] = set()
    memory = MemoryRecords(fetched.data)
    while memory.has_next():
        batch: Any = memory.next_batch()
        if not batch.validate_crc():
            raise CorruptRecordException("a batch does not match its checksum")
        if batch.magic < MAGIC_WITH_HEADERS:
            # Of before transactions and headers: none of ours.
            yield _empty(batch)
            continue
        while aborts and aborts[-1][1] <= batch.base_offset:
            aborted.add(aborts.pop()[0])
        if batch.is_control_batch:
            if _is_abort(batch):
                aborted.discard(batch.producer_id)
            yield _empty(batch)
        elif batch.is_transactional and batch.producer_id in aborted:
            yield _empty(batch)
        else:
            yield LogBatch(
                writer=Writer(batch.producer_id, batch.producer_epoch),
                is_transactional=batch.is_transactional,
                base_sequence=batch.base_sequence,
                base_offset=batch.base_offset,
                next_offset=batch.next_offset,
                records=list(batch),
            )


def _empty(batch: Any) -> LogBatch:
    return LogBatch(
        writer=NOBODY,
        is_transactional=False,
        base_sequence=-1,
        base_offset=batch.base_offset,
        next_offset=batch.next_offset,
        records=(),
    )


def _is_abort(batch: Any) -> bool:
    return any(ControlRecord.parse(record.key) == ABORT_MARKER for record in batch)
