"""What a broker has written down of its transactions: whether one is decided and not yet ended."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

DECIDED = frozenset({2, 3, 7})
"""PrepareCommit, PrepareAbort, PrepareEpochFence: the verdict is written, the markers may not be."""
BATCH_HEAD = struct.Struct(">qiibIhiqqqhii")
STATE_AT = 16
"""In a record's value: behind its version, the producer's id and epoch, and the time-out."""


def is_between_verdict_and_markers(log_dir: Path) -> bool:
    """Of any transactional id, going by the last record each has in `log_dir`. The broker must stand still."""
    states: dict[bytes, int] = {}
    for segment in sorted(log_dir.glob("__transaction_state-*/*.log")):
        states |= dict(_states(segment.read_bytes()))
    return not DECIDED.isdisjoint(states.values())


def _states(segment: bytes) -> Iterator[tuple[bytes, int]]:
    """Transactional id (its whole key) and state, record by record (KIP-98: uncompressed, magic 2)."""
    at = 0
    while at + BATCH_HEAD.size <= len(segment):
        _, length, *_, count = BATCH_HEAD.unpack_from(segment, at)
        record_at = at + BATCH_HEAD.size
        at += 12 + length
        if length <= 0 or at > len(segment):
            return
        for _ in range(count):
            size, body_at = _varint(segment, record_at)
            record_at = body_at + size
            key, value = _key_and_value(segment, body_at + 1)
            if len(value) > STATE_AT:
                yield key, value[STATE_AT]


def _key_and_value(segment: bytes, at: int) -> tuple[bytes, bytes]:
    for _ in ("timestamp", "offset"):
        _, at = _varint(segment, at)
    key_size, at = _varint(segment, at)
    key = segment[at : at + key_size]
    value_size, at = _varint(segment, at + key_size)
    return key, segment[at : at + max(value_size, 0)]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number, and what follows it."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
