"""Steps 4 and 5 as a decision: which deliveries may be marked, and whether the position may move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from bridge.domain.decide import TOO_LARGE
from bridge.domain.delivery import ACKED, AllAcked, Delivery, MarkKey, Outcome, Receipt
from bridge.domain.model import Batch, SequenceId
from bridge.domain.standing import Bookmark


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Proof that all up to a position is acked, what `advance` takes: made by `settle`, kept in a `Bookmark` (I1)."""

    sequence_id: SequenceId
    marks: tuple[MarkKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The position stays. `marks` are still safe to mark; `first_failure` says why it stays."""

    marks: tuple[MarkKey, ...]
    first_failure: Receipt
    failed: int
    unknown: int


def settle(
    batch: Batch, deliveries: Sequence[Delivery], done_before: Set[MarkKey], receipts: Sequence[Receipt]
) -> Settled | Held:
    """Judge a batch by its receipts; `done_before` are the deliveries that were marked when the cycle began.

    I1: one delivery that is neither acked nor done before holds the whole batch.
    I2: what was not acked is not marked.
    """
    if isinstance(receipts, AllAcked) and receipts.deliveries == deliveries:
        # Nearly every batch: nothing of it is left to be judged one by one.
        return Settled(sequence_id=batch.sequence_id, marks=tuple([delivery.mark for delivery in deliveries]))
    acked = {receipt.mark for receipt in receipts if receipt.outcome is ACKED}
    missing = [delivery for delivery in deliveries if delivery.mark not in acked and delivery.mark not in done_before]
    not_acked = [receipt for receipt in receipts if receipt.outcome is not ACKED]
    if not missing and not not_acked:
        return Settled(sequence_id=batch.sequence_id, marks=tuple(receipt.mark for receipt in receipts))
    unknown = sum(receipt.outcome is Outcome.UNKNOWN for receipt in not_acked)
    return Held(
        marks=tuple(acked_prefixes(receipts)),
        first_failure=not_acked[0] if not_acked else _never_sent(missing[0]),
        failed=len(not_acked) - unknown + (0 if not_acked else len(missing)),
        unknown=unknown,
    )


def settled_before(bookmark: Bookmark) -> Settled:
    """What had been settled when a trigger's place was written down is settled still (I1)."""
    return Settled(sequence_id=bookmark.batch_id, marks=())


def acked_prefixes(receipts: Sequence[Receipt]) -> Iterable[MarkKey]:
    """The acked receipts of each partition up to its first one that is not.

    I9: what was acked behind a failure is sent again behind it, since order cannot be repaired downstream and a
    repeat can, by its key (D4a). Behind a record that is too large nothing is: that one never comes to this partition,
    it becomes a dead letter, and sending the others again would be a duplicate without a cause (I5).
    """
    broken: set[tuple[str, int]] = set()
    for receipt in receipts:
        place = (receipt.topic, receipt.partition)
        if is_refused_for_size(receipt):
            continue
        if receipt.outcome is not ACKED:
            broken.add(place)
        elif place not in broken:
            yield receipt.mark


def is_refused_for_size(receipt: Receipt) -> bool:
    """The record fails alone and as often as it is sent as it is (I8)."""
    return receipt.code == TOO_LARGE and receipt.outcome is Outcome.FAILED


def _never_sent(delivery: Delivery) -> Receipt:
    return Receipt(mark=delivery.mark, outcome=Outcome.FAILED, topic=delivery.topic, partition=-1, code="no_receipt")
