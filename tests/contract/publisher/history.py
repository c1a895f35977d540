"""Whether a log may look as it does, given what was published and what was answered. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from bridge.domain.delivery import Outcome, Receipt
from tests.contract.publisher.words import Row, number_of


def lost(rows: Sequence[Row], receipts: Sequence[tuple[int, Receipt]]) -> list[int]:
    """The numbers of acked deliveries that are not where their receipts say (I1)."""
    there = {(row.partition, row.offset): number_of(row) for row in rows}
    return [
        number
        for number, receipt in receipts
        if receipt.outcome is Outcome.ACKED and there.get((receipt.partition, receipt.offset)) != number
    ]


def overtaken(rows: Sequence[Row], batch_of: Callable[[int], int]) -> list[str]:
    """Where a partition falls back to an earlier batch, which a worker had left behind as acked (I9).

    Inside a batch it may fall back, for what was not acked is sent again.
    """
    found: list[str] = []
    for before, after in itertools.pairwise(rows):
        if before.partition == after.partition and batch_of(number_of(after)) < batch_of(number_of(before)):
            found.append(f"{after.partition}@{after.offset}: {number_of(after)} after {number_of(before)}")
    return found
