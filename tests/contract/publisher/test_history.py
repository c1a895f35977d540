"""The judge of the fault tests sees planted faults."""

from __future__ import annotations

from bridge.domain.delivery import Outcome, Receipt
from tests.contract.publisher.history import lost, overtaken
from tests.contract.publisher.words import Row, a_delivery


def a_row(number: int, offset: int, partition: int = 0) -> Row:
    headers = a_delivery("t", number).headers
    return Row(partition=partition, offset=offset, key=b"k", value=b"v", headers=headers)


def acked(number: int, offset: int) -> tuple[int, Receipt]:
    mark = a_delivery("t", number).mark
    return number, Receipt(mark=mark, outcome=Outcome.ACKED, topic="t", partition=0, offset=offset)


def by_tens(number: int) -> int:
    return number // 10


def test_a_sound_history_passes() -> None:
    rows = [a_row(number, offset) for offset, number in enumerate([0, 1, 2, 1, 2, 10, 11])]
    assert lost(rows, [acked(0, 0), acked(1, 3), acked(11, 6)]) == []
    assert overtaken(rows, by_tens) == []


def test_a_lost_record_is_seen() -> None:
    assert lost([a_row(0, 0)], [acked(0, 0), acked(1, 1)]) == [1]


def test_a_record_that_is_another_is_seen() -> None:
    assert lost([a_row(0, 0), a_row(5, 1)], [acked(1, 1)]) == [1]


def test_a_late_append_behind_the_next_batch_is_seen() -> None:
    rows = [a_row(number, offset) for offset, number in enumerate([0, 1, 10, 11, 0, 1])]
    assert overtaken(rows, by_tens) == ["0@4: 0 after 11"]


def test_partitions_are_judged_apart() -> None:
    assert overtaken([a_row(10, 0), a_row(0, 0, partition=1)], by_tens) == []
