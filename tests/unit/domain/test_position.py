"""What a recorded position says of a page (D3, D7, D15)."""

from __future__ import annotations

import pytest

from bridge.domain.errors import Blocked
from bridge.domain.model import Batch, Generation, SequenceId, TriggerRef
from bridge.domain.position import EARLIER_MAX, Position, committed_part, in_force, position_after
from tests.fakes.plans import REF
from tests.fakes.results import a_batch, raw_result

NOW = Generation(2)


def page(first: int, last: int, *, is_end: bool | None = None, filtered: int = 0) -> Batch:
    return a_batch([raw_result(number) for number in range(first, last + 1)], is_end=is_end, filtered=filtered)


def after(*pages: Batch) -> Position:
    """The position behind these, in turn."""
    position: Position | None = None
    for batch in pages:
        position = position_after(batch, [], REF, NOW, position)
    assert position is not None
    return position


def ids(batch: Batch) -> list[str]:
    return [result.sequence_id for result in batch.results]


def test_a_page_behind_the_position_is_fresh() -> None:
    assert committed_part(page(4, 6), after(page(1, 3))) is None
    assert committed_part(page(4, 6), None) is None


def test_a_page_that_was_committed_and_not_advanced_is_skipped_whole() -> None:
    part = committed_part(page(4, 6, is_end=True), after(page(1, 3), page(4, 6)))
    assert part is not None
    assert (ids(part), part.sequence_id) == (["seq-4", "seq-5", "seq-6"], "seq-6")
    assert part.is_end is False, "behind it more may wait"


def test_what_came_up_since_the_commit_is_not_skipped_with_it() -> None:
    part = committed_part(page(4, 9), after(page(1, 3), page(4, 6)))
    assert part is not None
    assert (ids(part), part.sequence_id) == (["seq-4", "seq-5", "seq-6"], "seq-6")


def test_a_smaller_page_of_the_committed_batch_leads_to_its_end() -> None:
    part = committed_part(page(4, 5), after(page(1, 3), page(4, 6)))
    assert part is not None
    assert (ids(part), part.sequence_id) == (["seq-4", "seq-5"], "seq-6")


def test_a_committed_batch_that_lost_its_first_comment_meanwhile_is_known_by_its_last() -> None:
    part = committed_part(page(5, 6), after(page(4, 6)))
    assert part is not None
    assert part.sequence_id == "seq-6"


@pytest.mark.parametrize("back_to", [1, 4, 7])
def test_a_position_that_an_old_advance_moved_back_is_recognized(back_to: int) -> None:
    """D15: behind any earlier position stands the first id of a committed batch."""
    position = after(page(1, 3), page(4, 6), page(7, 9))
    part = committed_part(page(back_to, back_to + 2), position)
    assert part is not None
    assert part.sequence_id == "seq-9"


def test_an_empty_page_is_never_committed() -> None:
    assert committed_part(a_batch([], filtered=3, last="seq-3"), after(page(1, 3))) is None


def test_a_batch_without_a_readable_id_is_known_by_the_batchs_own() -> None:
    bad = a_batch([b'{"comment": 1}'], last="batch-1")
    position = after(bad)
    assert (position.first, position.last, position.batch_id) == ("batch-1", "batch-1", "batch-1")
    assert committed_part(bad, position) is not None
    assert committed_part(bad, after(bad, page(1, 2))) is not None


def test_the_same_garbage_in_a_later_page_does_not_make_it_an_old_one() -> None:
    """Its id is made of its bytes; a page that is taken for an old one is never published."""
    garbage = b'{"comment": 1}'
    position = after(a_batch([garbage, raw_result(1)]), a_batch([garbage], last="batch-2"))
    assert committed_part(a_batch([garbage, raw_result(3)]), position) is None


def test_what_is_remembered_of_earlier_batches_is_bounded() -> None:
    position = after(*(page(number, number) for number in range(EARLIER_MAX + 5)))
    assert len(position.earlier) == EARLIER_MAX
    assert position.earlier[-1] == f"seq-{EARLIER_MAX + 3}"


def test_a_record_of_the_generation_before_is_void() -> None:
    """I3: or a replay would be skipped."""
    assert in_force(after(page(1, 3)), REF, NOW) == after(page(1, 3))
    assert in_force(after(page(1, 3)), REF, Generation(NOW + 1)) is None
    assert in_force(None, REF, NOW) is None


def test_a_record_of_another_trigger_under_the_same_name_is_void() -> None:
    other = TriggerRef(project="org1", dataset="collateral", trigger="fees")
    assert in_force(after(page(1, 3)), other, NOW) is None


def test_a_record_of_a_later_generation_stops_whoever_does_not_know_of_it() -> None:
    with pytest.raises(Blocked) as behind:
        in_force(after(page(1, 3)), REF, Generation(NOW - 1))
    assert behind.value.code == "generation_behind"


def test_the_position_says_what_its_batch_brought() -> None:
    assert after(a_batch([raw_result(1)], last="seq-5")) == Position(
        trigger="org1/collateral/dispute",
        generation=NOW,
        first=SequenceId("seq-1"),
        last=SequenceId("seq-1"),
        batch_id=SequenceId("seq-5"),
        records={},
    )
