"""The next step of a reset, from what is written down about it and nothing else: killed anywhere, it resumes (I7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import assert_never

from bridge.domain.instant import parse_instant
from bridge.domain.model import Batch, Result, Undecodable, created_at
from bridge.domain.standing import Bookmark, Reset, ResetPhase, Standing
from bridge.domain.window import has_passed


class Step(Enum):
    """What the owner of a trigger does next about its reset."""

    NOTHING = "nothing"
    LEARN_POSITION = "learn_position"
    HOLD = "hold"
    BEGIN = "begin"
    RESET_PLATFORM = "reset_platform"
    REPLAY = "replay"
    TURN_BACK = "turn_back"
    RETURN = "return"


def next_step(standing: Standing, bookmark: Bookmark | None = None) -> Step:
    """One step of the way; REPLAY is left by `replayed`. `bookmark` is where the worker knows the trigger to stand."""
    reset = standing.open_reset
    if reset is None:
        return Step.NOTHING
    match reset.phase:
        case ResetPhase.REQUESTED:
            return Step.LEARN_POSITION if reset.has_end and bookmark is None else Step.HOLD
        case ResetPhase.HOLDING:
            return Step.BEGIN
        case ResetPhase.RESETTING:
            return Step.TURN_BACK if reset.cancelled_by else Step.RESET_PLATFORM
        case ResetPhase.REPLAYING:
            return Step.TURN_BACK if reset.cancelled_by else Step.REPLAY
        case ResetPhase.RETURNING:
            return Step.RETURN
        case ResetPhase.DONE | ResetPhase.FAILED | ResetPhase.CANCELLED:
            return Step.NOTHING
        case never:
            assert_never(never)


def held_at(standing: Standing, bookmark: Bookmark | None) -> Standing:
    """No pass runs any more: where the trigger stands is written down before anything moves it."""
    reset = standing.open_reset
    if reset is None or reset.phase is not ResetPhase.REQUESTED:
        return standing
    return standing.with_reset(replace(reset, phase=ResetPhase.HOLDING, saved=bookmark))


def in_phase(standing: Standing, phase: ResetPhase) -> Standing:
    """The open reset, moved on."""
    reset = standing.open_reset
    return standing.with_reset(replace(reset, phase=phase)) if reset else standing


def released(standing: Standing, now: datetime) -> Standing:
    """After the platform has reset: generation raised and worker let go in one change, never one without the other.

    I3, D4: in the old generation the marks would swallow the replay; in the new one at the old position nothing would
    be replayed. One that was called off meanwhile turns back, in the generation it came from.
    """
    reset = standing.open_reset
    if reset is None:
        return standing
    if reset.cancelled_by:
        return in_phase(standing, ResetPhase.RETURNING)
    raised = standing.raised_by(reset.id)
    return raised.with_reset(replace(reset, phase=ResetPhase.REPLAYING, generation=raised.generation, replay_until=now))


def replayed(standing: Standing, batch: Batch, now: datetime, *, is_last: bool = False) -> Standing:
    """After a batch of the replay is settled: counted.

    A replay with an end turns back behind its last batch, any other is done once it has caught up with where it began.
    """
    reset = standing.open_reset
    if reset is None or reset.phase is not ResetPhase.REPLAYING:
        return standing
    counted = _counted(reset, batch)
    if reset.has_end and is_last:
        counted = replace(counted, phase=ResetPhase.RETURNING)
    elif not reset.has_end and has_passed(batch, reset):
        counted = replace(counted, phase=ResetPhase.DONE, finished_at=now)
    return standing.with_reset(counted)


def returned(standing: Standing, now: datetime, error: str = "") -> Standing:
    """The trigger stands where it stood before, and goes on in a generation that is neither the replay's nor older.

    With the replay's own, what is new could not be told from what was replayed, and the marks of the one would swallow
    the other where both have the same results (D4). With an error the way back is not to be had: it goes on from where
    the replay ended, which repeats and loses nothing. One that was called off before it began leaves no trace.
    """
    reset = standing.open_reset
    if reset is None or reset.phase is not ResetPhase.RETURNING:
        return standing
    is_as_before = reset.generation is None and not error
    raised = standing if is_as_before else standing.raised_by(f"{reset.id}/return")
    phase = ResetPhase.CANCELLED if reset.cancelled_by else ResetPhase.DONE
    if error:
        phase = ResetPhase.FAILED
    elif reset.cancelled_by:
        error = f"cancelled by {reset.cancelled_by}"
    return raised.with_reset(replace(reset, phase=phase, error=error, finished_at=now))


def noticed(standing: Standing, found: Reset, now: datetime) -> Standing:
    """Somebody else has moved the position back: a replay that is under way already, as a reset of ours would be.

    One change, before anything of it is published. An open replay of ours is over with it; the way back stays its own.
    """
    before = standing.open_reset
    saved = before.saved if before and before.saved else found.saved
    ended = failed(standing, "the trigger was reset at the platform meanwhile", now)
    raised = ended.raised_by(found.id)
    replaying = replace(found, phase=ResetPhase.REPLAYING, generation=raised.generation, saved=saved, replay_until=now)
    return raised.with_reset(replaying)


def failed(standing: Standing, error: str, now: datetime) -> Standing:
    """The platform will not do it: the worker goes on where it was, in its old generation."""
    reset = standing.open_reset
    if reset is None:
        return standing
    return standing.with_reset(replace(reset, phase=ResetPhase.FAILED, error=error, finished_at=now))


def why_not_cancelled(reset: Reset) -> str:
    """Why it cannot be called off any more; empty where it can, or is already."""
    if reset.phase is ResetPhase.CANCELLED or (reset.cancelled_by and not reset.phase.is_over):
        return ""
    if reset.phase.is_over:
        return f"reset {reset.id} is over ({reset.phase.value})"
    if reset.phase is ResetPhase.RETURNING:
        return f"reset {reset.id} has replayed everything and is on its way back"
    if reset.phase in (ResetPhase.RESETTING, ResetPhase.REPLAYING) and reset.saved is None:
        return f"reset {reset.id} has no way back: where the trigger stood before it was not known"
    return ""


def cancelled(standing: Standing, reset_id: str, by: str, now: datetime) -> Standing:
    """Call a reset off. Before the platform was asked nothing has happened; behind it the trigger must be returned."""
    reset = standing.reset_of(reset_id)
    if reset is None or reset.phase.is_over or reset.cancelled_by or why_not_cancelled(reset):
        return standing
    if reset.phase in (ResetPhase.REQUESTED, ResetPhase.HOLDING):
        error = f"cancelled by {by}"
        over = replace(reset, phase=ResetPhase.CANCELLED, cancelled_by=by, error=error, finished_at=now)
        return standing.with_reset(over)
    return standing.with_reset(replace(reset, cancelled_by=by))


def would_skip(pending: Batch, to_comment_created_at: datetime, now: datetime) -> bool:
    """A reset to that instant would pass over results nobody has got yet, so it needs `allow_skip`.

    `pending` is what a fetch gives now. A result without a readable upload time counts as skipped, and so does what may
    lie behind a page of nothing but filtered comments: better asked once too often.
    """
    if to_comment_created_at > now:
        return True
    if not pending.results:
        return pending.is_full
    created = [parse_instant(created_at(result)) for result in pending.results[:1]]
    return any(instant is None or instant < to_comment_created_at for instant in created)


def share_replayed(reset: Reset) -> float | None:
    """How much of it is done, 0 to 1, by upload times; an estimate, since mail is not spread evenly. None: no idea."""
    if reset.phase is ResetPhase.DONE or reset.phase is ResetPhase.RETURNING:
        return 1.0
    begin, at = reset.replayed_from, reset.replayed_to
    if begin is None or at is None:
        return 0.0 if not reset.phase.is_over else None
    stood_at = (reset.saved.last_at if reset.saved else None) or reset.replay_until
    end = min(filter(None, (reset.until, stood_at)), default=None)
    if end is None or end <= begin:
        return None
    return min(1.0, max(0.0, (at - begin) / (end - begin)))


def _counted(reset: Reset, batch: Batch) -> Reset:
    first, last = first_instant(batch.results), first_instant(reversed(batch.results))
    return replace(
        reset,
        replayed=reset.replayed + len(batch.results),
        replayed_from=reset.replayed_from or first,
        replayed_to=max(filter(None, (last, reset.replayed_to)), default=None),
    )


def first_instant(results: Iterable[Result | Undecodable]) -> datetime | None:
    """The first upload time that can be read."""
    instants = (parse_instant(created_at(each)) for each in results)
    return next((instant for instant in instants if instant is not None), None)
