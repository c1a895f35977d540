"""What tells a position that was moved back from everything that only looks like it (D15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.model import Batch, Generation
from bridge.domain.standing import Reset, ResetPhase, Standing
from bridge.domain.trail import (
    BOUNDARIES_MAX,
    LATE_RESULTS_MAX,
    LATE_S,
    MovedBack,
    Trail,
    check_is_ahead,
    clear,
    is_behind,
    trail_of,
)
from bridge.domain.window import bookmark_after
from tests.fakes.results import a_batch, raw_result

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


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
    check_is_ahead(page(50, 50, at_s=-9_999, size=512), TRAIL, 0.0)


@pytest.mark.parametrize(("first", "is_let_pass"), [(14, True), (15, True), (17, True), (11, False), (1, False)])
def test_what_an_old_move_may_lead_to_is_let_pass_while_one_may_arrive(first: int, is_let_pass: bool) -> None:
    """No further back than to where the trigger stood when the doubt arose; a page may have been cut otherwise."""
    trail = a_trail(page(11, 13))
    trail.doubt(100.0)
    for batch in (page(14, 16), page(17, 19)):
        trail.advanced(batch, bookmark_after(batch, None))
    found = page(first, first + 2)
    if is_let_pass:
        check_is_ahead(found, trail, 100.0)
    else:
        with pytest.raises(MovedBack):
            check_is_ahead(found, trail, 100.0)
    with pytest.raises(MovedBack):
        check_is_ahead(found, trail, 100.0 + LATE_S)


def test_what_an_old_move_may_lead_to_is_bounded_and_forgotten_with_the_doubt() -> None:
    trail = a_trail()
    trail.doubt(0.0)
    for start in range(0, 4 * LATE_RESULTS_MAX, 512):
        batch = page(start, start + 511)
        trail.advanced(batch, bookmark_after(batch, None))
    assert len(trail.late) == LATE_RESULTS_MAX
    trail.doubt(LATE_S)
    assert trail.late == {}


def test_a_page_that_was_looked_into_is_let_pass_until_the_next_advance() -> None:
    trail = a_trail(page(11, 13), page(14, 16))
    clear(page(1, 3), trail)
    check_is_ahead(page(1, 3), trail, 0.0)
    with pytest.raises(MovedBack):
        check_is_ahead(page(2, 4), trail, 0.0)
    trail.advanced(page(20, 21), bookmark_after(page(20, 21), None))
    with pytest.raises(MovedBack):
        check_is_ahead(page(1, 3), trail, 0.0)


def test_an_old_upload_among_new_ones_does_not_lower_what_was_reached() -> None:
    trail = a_trail(page(17, 19), page(50, 50, at_s=-9_999))
    assert trail.high == NOON + timedelta(seconds=19)


def test_what_is_remembered_is_bounded() -> None:
    trail = a_trail(*(page(3 * number, 3 * number + 2) for number in range(BOUNDARIES_MAX + 50)))
    assert len(trail.firsts) == len(trail.lasts) == BOUNDARIES_MAX
    reached = trail.reached(Standing(trigger="a/b/c"), 0.0)
    assert reached is not None
    assert (len(reached.firsts), reached.firsts[-1]) == (32, f"seq-{3 * (BOUNDARIES_MAX + 49)}")


def test_what_was_reached_is_known_to_the_next_process_and_void_after_a_reset() -> None:
    standing = Standing(trigger="a/b/c")
    reached = TRAIL.reached(standing, 0.0)
    known = trail_of(replace(standing, reached=reached), 5.0)
    assert is_behind(page(14, 16), known)
    assert is_behind(page(1, 3), known)
    check_is_ahead(page(20, 22), known, 5.0)
    raised = replace(standing, reached=reached, generation=Generation(1))
    assert not is_behind(page(14, 16), trail_of(raised, 5.0))


def test_a_name_that_is_given_to_another_trigger_brings_over_the_pause_and_the_generation_and_nothing_else() -> None:
    reset = Reset(id="r1", to_comment_created_at=NOON, requested_at=NOON, requested_by="operate")
    reached = TRAIL.reached(Standing(trigger="a/b/c"), 0.0)
    before = Standing(trigger="a/b/c", generation=Generation(3), reached=reached).with_reset(reset)
    after = before.bound_to("a/b/other", NOON)
    assert (after.generation, after.reached, after.open_reset) == (3, None, None)
    assert (after.resets[0].phase, after.resets[0].error) == (ResetPhase.FAILED, "its name was given to a/b/other")
    assert before.bound_to("a/b/c", NOON) == before
    assert replace(before, trigger="").bound_to("a/b/c", NOON) == before, "written by a release that knew no identity"


def test_where_an_old_advance_may_lead_goes_with_the_trigger_from_owner_to_owner() -> None:
    """The second owner's batches end elsewhere than those of the first, and the third knows of neither's (D15)."""
    second = trail_of(Standing(), now_s=0.0)
    second.advanced(page(11, 30), bookmark_after(page(11, 30), None))
    third = trail_of(Standing(reached=second.reached(Standing(), now_s=20.0)), now_s=50.0)
    check_is_ahead(page(18, 33), third, now_s=51.0)
    with pytest.raises(MovedBack):
        check_is_ahead(page(9, 33), third, now_s=51.0)
    after_long = trail_of(Standing(reached=second.reached(Standing(), now_s=LATE_S)), now_s=50.0)
    with pytest.raises(MovedBack):
        check_is_ahead(page(18, 33), after_long, now_s=51.0)
