"""What can be seen of a worker: the admin API's answer and the metrics' source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from bridge.domain.model import Generation, SequenceId, TriggerName
from bridge.domain.standing import FIRST_GENERATION


class State(Enum):
    """The states of design section 8."""

    STARTING = "starting"
    RUNNING = "running"
    IDLE = "idle"
    THROTTLED = "throttled"
    BLOCKED = "blocked"
    PAUSED = "paused"
    RESETTING = "resetting"
    REPLAYING = "replaying"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastError:
    """The last thing that went wrong; it stays to be read after it has healed."""

    code: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A worker at one instant. Counts are of this process; `position` is the last sequence id advanced to by it.

    `oldest_pending` is the upload time of the oldest result not yet advanced, as far as the worker knows; `published`
    counts acked records by route; `last_progress` is when a pass last ended or idled, which is what liveness asks for.
    """

    name: TriggerName
    state: State = State.STARTING
    reason: str = ""
    generation: Generation = FIRST_GENERATION
    position: SequenceId | None = None
    next_attempt: datetime | None = None
    oldest_pending: datetime | None = None
    last_advance: datetime | None = None
    last_progress: datetime | None = None
    last_error: LastError | None = None
    failures_in_a_row: int = 0
    results: int = 0
    filtered: int = 0
    unmatched: int = 0
    skipped_duplicates: int = 0
    published: Mapping[str, int] = field(default_factory=dict)
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    shadowed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A status as the owner of the trigger shows it to the other replicas; `at` is the owner's time."""

    status: Status
    owner: str
    at: datetime


REPORT_AGE_MAX_S = 30.0
"""An owner reports three times as often at least: one that is silent for longer is gone, or cut off."""


def is_stale(report: Report, now: datetime) -> bool:
    """Nobody stands behind it any more."""
    return (now - report.at).total_seconds() > REPORT_AGE_MAX_S


STUCK_AFTER_S = 300.0
"""Every wait of a pass is bounded and their sum is under two minutes: longer without progress is a hung loop."""


def is_stuck(status: Status, now: datetime) -> bool:
    """The worker should have ended a pass or begun its next attempt long ago."""
    due = max(filter(None, (status.last_progress, status.next_attempt)), default=None)
    return status.state is not State.STOPPED and due is not None and (now - due).total_seconds() > STUCK_AFTER_S
