"""Steps 4 and 5 as a decision: I1, I2 and I9 for every way receipts can fall."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.delivery import Ack, AllAcked, Delivery, MarkKey, Outcome, Receipt, acked_of
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


acks = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(1, 4)), max_size=5)


def all_acked(sketched: list[tuple[int, int, int]]) -> AllAcked:
    """Acks as (partition, first offset, records); their records are dealt out in turn."""
    count = sum(records for _, _, records in sketched)
    places = iter([*range(1, count, 2), *range(0, count, 2)])
    made = [Ack("t", at, base, [next(places) for _ in range(records)]) for at, base, records in sketched]
    return AllAcked([delivery(number) for number in range(count)], made)


def as_they_are(deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
    return deliveries


def with_another_trace(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """What a sampled pass sends in their place."""
    return [replace(each, shared_headers=(("traceparent", b"00-1-2-01"),)) for each in deliveries]


@given(acks, st.sampled_from([as_they_are, list, with_another_trace]))
def test_where_all_is_acked_it_is_judged_as_receipt_by_receipt(
    sketched: list[tuple[int, int, int]], sent_as: Callable[[Sequence[Delivery]], Sequence[Delivery]]
) -> None:
    receipts = all_acked(sketched)
    decided = sent_as(receipts.deliveries)
    verdict = settle(BATCH, decided, set(), receipts)
    assert isinstance(verdict, Settled)
    assert verdict == settle(BATCH, decided, set(), list(receipts))
    assert acked_of(decided, receipts) == acked_of(decided, list(receipts)) == decided


@given(acks)
def test_receipts_of_what_is_all_acked_stand_in_the_order_of_their_deliveries(
    sketched: list[tuple[int, int, int]],
) -> None:
    receipts = all_acked(sketched)
    assert [each.mark for each in receipts] == [each.mark for each in receipts.deliveries]
    assert all(each.outcome is Outcome.ACKED for each in receipts)
    offsets = sorted((each.partition, each.offset) for each in receipts)
    assert offsets == sorted((at, base + place) for at, base, records in sketched for place in range(records))
    assert (len(receipts), receipts[:1]) == (len(offsets), list(receipts)[:1])


def test_another_batch_than_the_one_that_is_acked_is_not_settled_by_it() -> None:
    """I1: neither one delivery more nor another one in a place."""
    receipts = all_acked([(0, 0, 2)])
    for others in ([delivery(0), delivery(1), delivery(2)], [delivery(0), delivery(2)]):
        assert isinstance(settle(BATCH, others, set(), receipts), Held)


@pytest.mark.parametrize("indexes", [[0], [0, 1, 2]])
def test_what_the_acks_are_too_few_or_too_many_for_is_not_all_acked(indexes: list[int]) -> None:
    with pytest.raises(ValueError, match="not as many"):
        AllAcked([delivery(0), delivery(1)], [Ack("t", 0, 0, indexes)])
