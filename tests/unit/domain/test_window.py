"""Where a replay with an end ends, to the millisecond and to the result."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.model import Batch, SequenceId, Undecodable
from bridge.domain.standing import Bookmark, Reset, ResetPhase, Standing
from bridge.domain.unread import Unread
from bridge.domain.window import bookmark_after, cut, has_passed, window_of
from tests.fakes.results import a_batch, raw_result
from tests.unit.domain.test_unread import RAWS, Reader

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def a_window(
    *, until: datetime | None = None, last: int = 0, requested_at: datetime = NOON + timedelta(days=1)
) -> Reset:
    saved = Bookmark(batch_id=SequenceId("seq-999"), last=SequenceId(f"seq-{last}") if last else SequenceId(""))
    return Reset(
        id="r1",
        to_comment_created_at=NOON - timedelta(days=1),
        requested_at=requested_at,
        requested_by="operate",
        until=until,
        topic_prefix="" if until else "try.",
        phase=ResetPhase.REPLAYING,
        saved=saved,
    )


def a_page(*offsets_ms: float, last: str = "", is_end: bool | None = False, filtered: int = 0) -> Batch:
    """Results 1, 2, ... uploaded so many milliseconds after noon."""
    raws = [
        raw_result(number, created_at=(NOON + offset * MS).isoformat()) for number, offset in enumerate(offsets_ms, 1)
    ]
    return a_batch(raws, is_end=is_end, last=last, filtered=filtered)


def kept(page: Batch, window: Reset) -> list[str]:
    return [result.sequence_id for result in cut(page, window).batch.results]


def test_without_a_window_a_page_is_carried_whole() -> None:
    page = a_page(-1, 0, 1)
    found = cut(page, None)
    assert (found.batch, found.is_last) == (page, False)


@pytest.mark.parametrize(
    ("offsets", "within"), [((-1, 0, 1), 1), ((0, 0, 0), 0), ((-1, -1, 0, 0), 2), ((-0.5, 0.5), 1)]
)
def test_until_is_the_first_instant_that_is_not_replayed(offsets: tuple[float, ...], within: int) -> None:
    """All results of one millisecond stand on one side of the bound."""
    found = cut(a_page(*offsets), a_window(until=NOON))
    assert len(found.batch.results) == within
    assert found.is_last
    assert found.batch.sequence_id == (f"seq-{within}" if within else f"seq-{len(offsets)}")
    assert (found.batch.is_end, found.batch.filtered) == (False, 0)


def test_a_page_within_the_window_is_carried_whole_and_is_not_the_last() -> None:
    page = a_page(-3, -2, -1, filtered=4, last="seq-7")
    found = cut(page, a_window(until=NOON))
    assert (found.batch, found.is_last) == (page, False)


def test_a_replay_ends_behind_the_last_result_that_was_published_before_though_equal_milliseconds_follow() -> None:
    assert kept(a_page(-1, -1, -1), a_window(last=2)) == ["seq-1", "seq-2"]
    assert kept(a_page(-1, -1, -1), a_window(until=NOON, last=2)) == ["seq-1", "seq-2"]


def test_a_page_that_ends_where_the_trigger_stood_is_the_last() -> None:
    found = cut(a_page(-2, -1, last="seq-999"), a_window(until=NOON))
    assert (len(found.batch.results), found.is_last) == (2, True)


@pytest.mark.parametrize("page", [a_page(), a_page(-1, is_end=True)])
def test_the_end_of_everything_ends_a_replay(page: Batch) -> None:
    assert cut(page, a_window()).is_last


def test_a_page_of_filtered_comments_alone_does_not_end_a_replay() -> None:
    assert not cut(a_page(filtered=5), a_window(until=NOON)).is_last


def test_with_the_last_published_one_gone_what_was_uploaded_after_the_request_ends_it() -> None:
    window = a_window(requested_at=NOON)
    assert kept(a_page(-1, 0), window) == ["seq-1"]
    ahead = Bookmark(batch_id=SequenceId("seq-999"), last=SequenceId("gone"), last_at=NOON + MS)
    assert kept(a_page(0, 1, 2), replace(window, saved=ahead)) == ["seq-1", "seq-2"], "the platform's clock is ahead"
    updated = Bookmark(batch_id=SequenceId("seq-999"), last=SequenceId("gone"), last_at=NOON - timedelta(days=900))
    assert kept(a_page(-1, 0), replace(window, saved=updated)) == ["seq-1"], "the last one was an old comment, updated"


def test_a_result_without_a_readable_upload_time_ends_nothing() -> None:
    page = a_batch([raw_result(1, created_at="soon"), b'{"sequence_id":"seq-2","comment":3}'], is_end=False)
    found = cut(page, a_window(until=NOON))
    assert (found.batch, found.is_last) == (page, False)


def test_only_a_replay_with_an_end_that_is_under_way_has_a_window() -> None:
    window = a_window(until=NOON)
    assert window_of(Standing().with_reset(window)) == window
    assert window_of(Standing().with_reset(replace(window, phase=ResetPhase.RETURNING))) is None
    assert window_of(Standing().with_reset(replace(window, until=None))) is None
    assert window_of(Standing()) is None


def test_a_replay_without_an_end_has_caught_up_at_the_last_result_published_before() -> None:
    window = replace(a_window(last=2), topic_prefix="")
    assert has_passed(a_page(-3, -2, -1), window)
    assert not has_passed(a_page(-3), window)


def test_a_place_is_the_batch_and_its_last_readable_result() -> None:
    place = bookmark_after(a_batch([raw_result(1), b'{"sequence_id":"seq-2","comment":3}'], last="seq-7"), None)
    assert (place.batch_id, place.last) == ("seq-7", "seq-1")
    assert bookmark_after(a_batch([], filtered=3, last="seq-10"), place) == replace(
        place, batch_id=SequenceId("seq-10")
    )
    assert bookmark_after(a_batch([], last="seq-0"), None) == Bookmark(batch_id=SequenceId("seq-0"))


def test_a_large_page_is_not_read_again_to_tell_whether_a_replay_has_ended() -> None:
    """Its ids are known since it was gone through; its last result alone is looked at, for its upload time."""
    reader = Reader()
    page = replace(a_page(0), results=Unread(RAWS[:5], reader))
    assert len(list(page.results)) == 5
    reader.read.clear()
    assert not has_passed(page, a_window(last=99))
    assert reader.read == RAWS[4:5]
    assert has_passed(page, a_window(last=3))
    assert len(reader.read) == 1


def test_a_result_that_cannot_be_decoded_any_more_still_ends_a_replay_by_its_id() -> None:
    raws = [raw_result(1), raw_result(2).replace(b'"labels": []', b'"labels": 7')]
    page = a_batch(raws, is_end=False)
    assert isinstance(page.results[1], Undecodable)
    assert page.results[1].sequence_id == "seq-2"
    assert has_passed(page, a_window(last=2))
