"""Batches and positions, briefly."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.domain.delivery import Delivery, Outcome, Receipt
from bridge.domain.model import Generation, SequenceId, TriggerName
from bridge.domain.position import Position

DISPUTES, FEES = TriggerName("disputes"), TriggerName("fees")


def at(first: int, last: int, *, generation: int = 0, earlier: Sequence[str] = ()) -> Position:
    """The position behind a batch with these numbers."""
    return Position(
        trigger="org1/collateral/dispute",
        generation=Generation(generation),
        first=SequenceId(f"seq-{first}"),
        last=SequenceId(f"seq-{last}"),
        batch_id=SequenceId(f"seq-{last}"),
        records={"urgent": last - first + 1},
        earlier=tuple(map(SequenceId, earlier)),
    )


def codes(receipts: Sequence[Receipt]) -> list[str]:
    """Of an aborted transaction."""
    assert all(receipt.outcome is Outcome.FAILED for receipt in receipts)
    return [receipt.code for receipt in receipts]


def topics_of(deliveries: Sequence[Delivery]) -> set[str]:
    """Where they go."""
    return {delivery.topic for delivery in deliveries}
