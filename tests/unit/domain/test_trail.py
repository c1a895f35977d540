"""What tells a position that was moved back from everything that only looks like it (D15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.model import Batch, Generation, SequenceId
from bridge.domain.standing import Reached, Reset, ResetPhase, Standing
from bridge.domain.trail import (
    BOUNDARIES_MAX,
    LATE_S,
    MovedBack,
    Trail,
    at_work,
    check_is_ahead,
    clear,
    is_behind,
    trail_of,
)
from bridge.domain.window import bookmark_after
from tests.fakes.results import a_batch, raw_result

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
STANDING = Standing(trigger="a/b/c")


def page(first: int, last: int, *, at_s: float | None = None, size: int = 0, is_end: bool | None = False) -> Batch:
    """Results first to last, uploaded a second apart by their number, or all `at_s` seconds after noon."""
    raws = [
        raw_result(number, created_at=(NOON + timedelta(seconds=number if at_s is None else at_s)).isoformat())
        for number in range(first, last + 1)
    ]
    return a_batch(raws, size_asked=size or len(raws), is_end=is_end)


def a_trail(*batches: Batch) -> Trail:
    trail = Trail()
    for batch in batches:
        trail.advanced(batch, bookmark_after(batch, None))
    return trail


def reached_by(trail: Trail, now_s: float = 0.0, *, is_at_work: bool = False) -> Reached:
    """What it writes down; its clock on the wall shows noon when its other one shows 0."""
    return trail.reached(STANDING, now_s, at(now_s), is_at_work=is_at_work)


def at(now_s: float) -> datetime:
    return NOON + timedelta(seconds=now_s)


def check(found: Batch, trail: Trail, now_s: float = 0.0) -> None:
    trail.is_catching_up = False
    check_is_ahead(found, trail, now_s, at(now_s))


TRAIL = a_trail(page(11, 13), page(14, 16), page(17, 19))


@pytest.mark.parametrize(
    ("found", "behind"),
    [
        (page(20, 22), False),
        (page(17, 19), True),
        (page(18, 19, size=3), True),
        (page(12, 14), True),
        (page(1, 3), True),
        (page(1, 2, size=3), False),
        (page(1, 3, is_end=True), False),
        (a_batch([]), False),
        (a_batch([], filtered=3, size_asked=3), False),
    ],
    ids=["new", "again", "its rest", "across", "older", "some older", "older at the end", "empty", "filtered"],
)
def test_a_page_is_behind_by_an_id_that_is_known_or_by_being_full_of_older_uploads(found: Batch, behind: bool) -> None:
    assert is_behind(found, TRAIL) is behind


def test_equal_milliseconds_and_one_newer_upload_are_no_sign_of_having_moved() -> None:
    assert not is_behind(page(30, 33, at_s=19), TRAIL)
    mixed = a_batch([*(each.raw for each in page(1, 3).results), raw_result(40, created_at="2027-01-01T00:00:00Z")])
    assert not is_behind(replace(mixed, size_asked=4), TRAIL)
    unreadable = a_batch([raw_result(1, created_at="soon")], size_asked=1)
    assert not is_behind(unreadable, TRAIL)


def test_an_updated_comment_that_comes_with_its_first_upload_time_is_new() -> None:
    """D4: its sequence id is new."""
    assert not is_behind(page(50, 50, at_s=-9_999, size=512), TRAIL)
    check(page(50, 50, at_s=-9_999, size=512), TRAIL, 0.0)


@pytest.mark.parametrize(("first", "is_let_pass"), [(14, True), (15, True), (17, True), (11, False), (1, False)])
def test_what_an_old_move_may_lead_to_is_let_pass_while_one_may_arrive(first: int, is_let_pass: bool) -> None:
    """No further back than to where the trigger stood when the doubt arose; a page may have been cut otherwise."""
    trail = a_trail(page(11, 13))
    trail.doubt(100.0, 6)
    for batch in (page(14, 16), page(17, 19)):
        trail.advanced(batch, bookmark_after(batch, None))
    found = page(first, first + 2)
    if is_let_pass:
        check(found, trail, 100.0)
    else:
        with pytest.raises(MovedBack):
            check(found, trail, 100.0)
    with pytest.raises(MovedBack):
        check(found, trail, 100.0 + LATE_S)


def test_from_where_an_old_move_led_page_follows_page_until_something_new_comes() -> None:
    trail = a_trail(page(11, 13), page(14, 16))
    trail.doubt(0.0, 2)
    for batch in (page(17, 19), page(20, 22), page(23, 25)):
        trail.advanced(batch, bookmark_after(batch, None))
    for found in (page(17, 19), page(20, 22), page(23, 25)):
        check_is_ahead(found, trail, 1.0, at(1.0))
    trail.advanced(a_batch([], last="seq-25"), bookmark_after(page(23, 25), None))
    with pytest.raises(MovedBack):
        check_is_ahead(page(20, 22), trail, 1.0, at(1.0))


def test_what_an_old_move_may_lead_to_is_bounded_and_forgotten_with_the_doubt() -> None:
    """A predecessor's batch began where ours did, and held no more than one can."""
    trail = a_trail()
    trail.doubt(0.0, 3)
    for start in (1, 4, 7):
        trail.advanced(page(start, start + 2), bookmark_after(page(start, start + 2), None))
    assert list(trail.late) == ["seq-1", "seq-2", "seq-3", "seq-4"]
    trail.doubt(LATE_S, 3)
    assert trail.late == {}


def test_a_batch_whose_advance_was_not_answered_is_behind_once_a_later_one_was() -> None:
    trail = a_trail(page(11, 13))
    trail.unanswered(page(14, 16), 0.0)
    assert not is_behind(page(14, 16), trail), "it may not be past yet"
    trail.advanced(page(17, 19), bookmark_after(page(17, 19), None))
    assert is_behind(page(14, 16), trail)


def test_an_empty_page_forgets_nothing_of_what_lies_before_it() -> None:
    reached = reached_by(TRAIL)
    known = trail_of(replace(STANDING, reached=reached), 0.0, 3)
    empty = a_batch([], last="seq-25")
    known.advanced(empty, bookmark_after(empty, None))
    again = reached_by(known)
    assert reached.place is not None
    assert again == replace(reached, place=replace(reached.place, batch_id=SequenceId("seq-25")))


def test_a_page_that_was_looked_into_is_let_pass_until_the_next_advance() -> None:
    trail = a_trail(page(11, 13), page(14, 16))
    clear(page(1, 3), trail)
    check(page(1, 3), trail, 0.0)
    with pytest.raises(MovedBack):
        check(page(2, 4), trail, 0.0)
    trail.advanced(page(20, 21), bookmark_after(page(20, 21), None))
    with pytest.raises(MovedBack):
        check(page(1, 3), trail, 0.0)


def test_an_old_upload_among_new_ones_does_not_lower_what_was_reached() -> None:
    trail = a_trail(page(17, 19), page(50, 50, at_s=-9_999))
    assert trail.high == NOON + timedelta(seconds=19)


def test_what_is_remembered_is_bounded() -> None:
    trail = a_trail(*(page(3 * number, 3 * number + 2) for number in range(BOUNDARIES_MAX + 50)))
    assert len(trail.firsts) == len(trail.lasts) == BOUNDARIES_MAX
    reached = reached_by(trail)
    assert (len(reached.firsts), reached.firsts[-1]) == (32, f"seq-{3 * (BOUNDARIES_MAX + 49)}")


def test_what_was_reached_is_known_to_the_next_process_and_void_after_a_reset() -> None:
    standing = STANDING
    reached = reached_by(TRAIL)
    known = trail_of(replace(standing, reached=reached), 5.0, 3)
    assert is_behind(page(14, 16), known)
    assert is_behind(page(1, 3), known)
    check(page(20, 22), known, 5.0)
    raised = replace(standing, reached=reached, generation=Generation(1))
    assert not is_behind(page(14, 16), trail_of(raised, 5.0, 3))


def test_a_name_that_is_given_to_another_trigger_brings_over_the_pause_and_the_generation_and_nothing_else() -> None:
    reset = Reset(id="r1", to_comment_created_at=NOON, requested_at=NOON, requested_by="operate")
    reached = reached_by(TRAIL)
    before = Standing(trigger="a/b/c", generation=Generation(3), reached=reached).with_reset(reset)
    after = before.bound_to("a/b/other", NOON)
    assert (after.generation, after.reached, after.open_reset) == (3, None, None)
    assert (after.resets[0].phase, after.resets[0].error) == (ResetPhase.FAILED, "its name was given to a/b/other")
    assert before.bound_to("a/b/c", NOON) == before
    assert replace(before, trigger="").bound_to("a/b/c", NOON) == before, "written by a release that knew no identity"


def test_where_an_old_advance_may_lead_goes_with_the_trigger_from_owner_to_owner() -> None:
    """The second owner's batches end elsewhere than those of the first, and the third knows of neither's (D15)."""
    second = trail_of(at_work(STANDING), 0.0, 20)
    second.advanced(page(11, 30), bookmark_after(page(11, 30), None))
    left = reached_by(second, 20.0)
    assert left.is_at_work, "what the first left may still arrive, and what the second leaves is not known either"
    third = trail_of(replace(STANDING, reached=left), 7.0, 20)
    check(page(18, 33), third, 51.0)
    with pytest.raises(MovedBack):
        check(page(9, 33), third, 51.0)
    with pytest.raises(MovedBack):
        check(page(18, 33), third, LATE_S + 1.0)
    assert reached_by(third, LATE_S + 10.0).spans == ()


def test_whoever_ends_in_peace_leaves_no_doubt_and_whoever_dies_does() -> None:
    """Then a reset at the platform is told from an old advance right after the start."""
    begun = at_work(STANDING)
    assert begun.reached is not None
    assert begun.reached.is_at_work
    first = trail_of(STANDING, 0.0, 3)
    first.advanced(page(11, 13), bookmark_after(page(11, 13), None))
    for is_at_work in (False, True):
        left = reached_by(first, 1.0, is_at_work=is_at_work)
        following = trail_of(replace(STANDING, reached=left), 2.0, 3)
        following.advanced(page(14, 16), bookmark_after(page(14, 16), None))
        assert following.is_excused(page(14, 16), 3.0, at(3.0)) is is_at_work
    first.unanswered(page(14, 16), 1.0)
    assert reached_by(first, 2.0).is_at_work, "one went out and was not answered"
