"""Marks and triggers for the tests of the ledger."""

from __future__ import annotations

from hashlib import blake2b

from bridge.domain.delivery import MARK_KEY_BYTES, MarkKey
from bridge.domain.model import TriggerRef

DISPUTES = TriggerRef(project="org1", dataset="collateral", trigger="dispute")
FEES = TriggerRef(project="org1", dataset="collateral", trigger="fees")


def mark_of(number: int) -> MarkKey:
    """A mark as random as real ones."""
    return MarkKey(blake2b(number.to_bytes(8, "big"), digest_size=MARK_KEY_BYTES).digest())


def marks_of(numbers: range) -> list[MarkKey]:
    """Many of them."""
    return [mark_of(number) for number in numbers]
