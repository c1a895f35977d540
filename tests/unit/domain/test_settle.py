"""Steps 4 and 5 as a decision: I1, I2 and I9 for every way receipts can fall."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.delivery import Delivery, MarkKey, Outcome, Receipt
from bridge.domain.model import SequenceId
from bridge.domain.settle import Held, Settled, settle
from tests.fakes.results import a_batch

BATCH = a_batch([], last="batch")


def delivery(number: int) -> Delivery:
    return Delivery(
        mark=MarkKey(b"%d" % number),
        topic="t",
        route="r",
        key=None,
        front=b"",
        rest=b"",
        shared_headers=(),
        own_names=(),
        own_texts=(),
        sequence_id=SequenceId(f"{number}"),
        uid="",
    )


def receipt(number: int, outcome: Outcome, partition: int = 0) -> Receipt:
    return Receipt(mark=MarkKey(b"%d" % number), outcome=outcome, topic="t", partition=partition, code="why")


def test_all_acked_settles_at_the_batchs_own_sequence_id() -> None:
    verdict = settle(BATCH, [delivery(1)], set(), [receipt(1, Outcome.ACKED)])
    assert verdict == Settled(sequence_id=SequenceId("batch"), marks=(MarkKey(b"1"),))


def test_a_batch_that_was_done_before_settles_with_nothing_to_mark() -> None:
    assert settle(BATCH, [delivery(1)], {MarkKey(b"1")}, []) == Settled(sequence_id=SequenceId("batch"), marks=())


def test_an_empty_batch_settles() -> None:
    assert isinstance(settle(BATCH, [], set(), []), Settled)


def test_a_delivery_without_a_receipt_holds() -> None:
    verdict = settle(BATCH, [delivery(1)], set(), [])
    assert isinstance(verdict, Held)
    assert verdict.first_failure.code == "no_receipt"


def test_unknown_counts_as_not_done() -> None:
    assert isinstance(settle(BATCH, [delivery(1)], set(), [receipt(1, Outcome.UNKNOWN)]), Held)


def test_what_was_acked_behind_a_failure_of_its_partition_is_not_marked() -> None:
    receipts = [
        receipt(1, Outcome.ACKED, 0),
        receipt(2, Outcome.FAILED, 0),
        receipt(3, Outcome.ACKED, 1),
        receipt(4, Outcome.ACKED, 0),
    ]
    verdict = settle(BATCH, [delivery(n) for n in (1, 2, 3, 4)], set(), receipts)
    assert verdict.marks == (MarkKey(b"1"), MarkKey(b"3"))


outcomes = st.lists(st.tuples(st.sampled_from([*Outcome, None]), st.integers(0, 2)), max_size=12)


@given(outcomes)
def test_settle_never_advances_past_a_delivery_that_is_not_acked_and_marks_no_other(
    fallen: list[tuple[Outcome | None, int]],
) -> None:
    """None stands for a delivery that was marked before the pass began."""
    deliveries = [delivery(number) for number in range(len(fallen))]
    done = {deliveries[number].mark for number, (outcome, _) in enumerate(fallen) if outcome is None}
    receipts = [receipt(number, outcome, place) for number, (outcome, place) in enumerate(fallen) if outcome]
    verdict = settle(BATCH, deliveries, done, receipts)

    acked = {one.mark for one in receipts if one.outcome is Outcome.ACKED}
    assert set(verdict.marks) <= acked, "I2"
    assert isinstance(verdict, Settled) == (acked | done == {one.mark for one in deliveries}), "I1"
    left_by_partition = defaultdict(list)
    for one in receipts:
        left_by_partition[one.partition].append(one.mark in verdict.marks)
    for marked in left_by_partition.values():
        assert marked == sorted(marked, reverse=True), "I9: nothing is marked behind something that is sent again"
