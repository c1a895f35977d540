"""The next step of a reset, from what is written down about it and nothing else: killed anywhere, it resumes (I7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import assert_never

from bridge.domain.instant import parse_instant
from bridge.domain.model import Batch, Result, Undecodable, created_at
from bridge.domain.standing import Reset, ResetPhase, Standing


class Step(Enum):
    """What the owner of a trigger does next about its reset."""

    NOTHING = "nothing"
    HOLD = "hold"
    BEGIN = "begin"
    RESET_PLATFORM = "reset_platform"
    REPLAY = "replay"


def next_step(standing: Standing) -> Step:
    """One step of the way requested, holding, resetting, replaying; the last of them is left by `replayed`."""
    reset = standing.open_reset
    if reset is None:
        return Step.NOTHING
    match reset.phase:
        case ResetPhase.REQUESTED:
            return Step.HOLD
        case ResetPhase.HOLDING:
            return Step.BEGIN
        case ResetPhase.RESETTING:
            return Step.RESET_PLATFORM
        case ResetPhase.REPLAYING:
            return Step.REPLAY
        case ResetPhase.DONE | ResetPhase.FAILED:
            return Step.NOTHING
        case never:
            assert_never(never)


def in_phase(standing: Standing, phase: ResetPhase) -> Standing:
    """The open reset, moved on."""
    reset = standing.open_reset
    return standing.with_reset(replace(reset, phase=phase)) if reset else standing


def released(standing: Standing, now: datetime) -> Standing:
    """After the platform has reset: generation raised and worker let go in one change, never one without the other.

    I3, D4: in the old generation the marks would swallow the replay; in the new one at the old position nothing would
    be replayed.
    """
    reset = standing.open_reset
    if reset is None:
        return standing
    raised = standing.raised_by(reset)
    return raised.with_reset(replace(reset, phase=ResetPhase.REPLAYING, generation=raised.generation, replay_until=now))


def replayed(standing: Standing, batch: Batch, now: datetime) -> Standing:
    """After a batch of the replay has been advanced: counted, and done once it has caught up with where it began."""
    reset = standing.open_reset
    if reset is None or reset.phase is not ResetPhase.REPLAYING:
        return standing
    counted = replace(reset, replayed=reset.replayed + len(batch.results))
    if _caught_up(reset, batch):
        counted = replace(counted, phase=ResetPhase.DONE, finished_at=now)
    return standing.with_reset(counted)


def failed(standing: Standing, error: str, now: datetime) -> Standing:
    """The platform will not do it: the worker goes on where it was, in its old generation."""
    reset = standing.open_reset
    if reset is None:
        return standing
    return standing.with_reset(replace(reset, phase=ResetPhase.FAILED, error=error, finished_at=now))


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


def _caught_up(reset: Reset, batch: Batch) -> bool:
    if batch.is_end or (not batch.results and batch.filtered == 0):
        return True
    last = _last_instant(batch.results)
    return reset.replay_until is not None and last is not None and last >= reset.replay_until


def _last_instant(results: Sequence[Result | Undecodable]) -> datetime | None:
    return parse_instant(created_at(results[-1])) if results else None
