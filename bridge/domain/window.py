"""Which results a replay is of: where it ends, judged by what a page shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.domain.instant import parse_instant
from bridge.domain.model import Batch, Result, SequenceId, Undecodable, created_at
from bridge.domain.position import platform_ids
from bridge.domain.standing import NONE_SEEN, Bookmark, Reset, ResetPhase, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What of a page is carried over. Behind the last one of a replay the position is not advanced but returned."""

    batch: Batch
    is_last: bool = False


def window_of(standing: Standing) -> Reset | None:
    """The replay under way, where it is one with an end."""
    reset = standing.open_reset
    return reset if reset and reset.phase is ResetPhase.REPLAYING and reset.has_end else None


def cut(page: Batch, window: Reset | None) -> Cut:
    """The part of a page that belongs to a replay; all of it where there is no window.

    It ends before the first result uploaded at `until` or later, and behind the last one that was published before the
    reset: a replay never runs into what nobody has got yet. That one is known by its id; where it has gone from the
    platform meanwhile, only what was uploaded after the request is known to lie behind it. A result whose upload time
    cannot be read never ends a replay.
    """
    if window is None:
        return Cut(batch=page)
    # Read once here, for they are gone through twice.
    page = replace(page, results=list(page.results))
    kept = _within(page.results, window)
    is_last = len(kept) < len(page.results) or has_passed(page, window)
    if not is_last:
        return Cut(batch=page)
    end = kept[-1].sequence_id if kept else page.sequence_id
    # Behind the cut more may wait, whatever the page says.
    return Cut(batch=replace(page, results=kept, sequence_id=end, filtered=0, is_end=False), is_last=True)


def has_passed(batch: Batch, reset: Reset) -> bool:
    """The replay has come to where the trigger stood before it, or to the end of everything."""
    if batch.is_end or (not batch.results and batch.filtered == 0):
        return True
    saved = reset.saved
    if saved is not None and (batch.sequence_id == saved.batch_id or _holds(batch, saved.last)):
        return True
    return bool(batch.results) and _is_beyond(batch.results[-1], reset)


def _within(results: Sequence[Result | Undecodable], window: Reset) -> Sequence[Result | Undecodable]:
    last = window.saved.last if window.saved else NONE_SEEN
    is_behind_last = False
    for place, result in enumerate(results):
        # What could not be decoded has no id to know it by: behind the last one it comes once too often, or not at all.
        is_over = is_behind_last and not isinstance(result, Undecodable)
        if is_over or _is_late(result, window) or _is_beyond(result, window):
            return results[:place]
        is_behind_last = is_behind_last or (last != NONE_SEEN and result.sequence_id == last)
    return results


def _is_late(result: Result | Undecodable, window: Reset) -> bool:
    """Uploaded at `until` or later."""
    instant = parse_instant(created_at(result))
    return window.until is not None and instant is not None and instant >= window.until


def _is_beyond(result: Result | Undecodable, reset: Reset) -> bool:
    """Uploaded after the reset was asked for, by our clock, and after the last one published before, by the platform's.

    Either alone would end a replay too early: the clocks may differ, and an updated comment may come with its first
    upload time.
    """
    instant = parse_instant(created_at(result))
    stood_at = reset.saved.last_at if reset.saved else None
    return instant is not None and instant >= reset.requested_at and (stood_at is None or instant > stood_at)


def _holds(batch: Batch, sequence_id: SequenceId) -> bool:
    """By the ids, which are known: going through the results of a large page reads each of them once more."""
    if not sequence_id:
        return False
    ids = platform_ids(batch)
    # What cannot be decoded has none there, and may still show the one it had.
    return sequence_id in ids or (not all(ids) and any(result.sequence_id == sequence_id for result in batch.results))


def bookmark_after(batch: Batch, before: Bookmark | None) -> Bookmark:
    """Where a trigger stands once a batch is settled; an empty page says it too, by its own id (D7)."""
    last = next((result for result in reversed(batch.results) if not isinstance(result, Undecodable)), None)
    if last is None:
        return Bookmark(
            batch_id=batch.sequence_id,
            last=before.last if before else NONE_SEEN,
            last_at=before.last_at if before else None,
        )
    return Bookmark(batch_id=batch.sequence_id, last=last.sequence_id, last_at=parse_instant(created_at(last)))
