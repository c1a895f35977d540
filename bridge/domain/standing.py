"""What an operator wishes of a trigger and how far it got: kept outside the process, read back at start (D17, D18)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from bridge.domain.model import Generation

RESET_HISTORY_MAX = 100
FIRST_GENERATION = Generation(0)


class ResetPhase(Enum):
    """How far a reset is (design section 8)."""

    REQUESTED = "requested"
    HOLDING = "holding"
    RESETTING = "resetting"
    REPLAYING = "replaying"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Nothing is left to do."""
        return self in (ResetPhase.DONE, ResetPhase.FAILED)

    @property
    def holds_the_worker(self) -> bool:
        """No cycle may run: the position and the generation do not belong together yet (I3)."""
        return self in (ResetPhase.REQUESTED, ResetPhase.HOLDING, ResetPhase.RESETTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """One replay, as a resource with an identity."""

    id: str
    to_comment_created_at: datetime
    requested_at: datetime
    requested_by: str
    reason: str = ""
    allow_skip: bool = False
    phase: ResetPhase = ResetPhase.REQUESTED
    generation: Generation | None = None
    replay_until: datetime | None = None
    replayed: int = 0
    finished_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Who stopped the trigger, when and why."""

    by: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command stands on the control topic: its offset, and when the broker wrote it."""

    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The durable side of one trigger. `generation_reset_id` is the reset that raised the generation last (D4).

    `obeyed` is the last command that was carried over into this: one that is delivered again does nothing.
    """

    generation: Generation = FIRST_GENERATION
    generation_reset_id: str = ""
    pause: Pause | None = None
    resets: tuple[Reset, ...] = field(default=())
    obeyed: Place | None = None

    @property
    def open_reset(self) -> Reset | None:
        """The reset under way; there is one at most."""
        return next((reset for reset in self.resets if not reset.phase.is_over), None)

    def with_reset(self, changed: Reset) -> Standing:
        """Add a reset, or replace the one of the same id; the oldest ended ones are let go."""
        others = tuple(reset for reset in self.resets if reset.id != changed.id)
        return replace(self, resets=(*others, changed)[-RESET_HISTORY_MAX:])

    def raised_by(self, reset: Reset) -> Standing:
        """The next generation. Raising it twice for one reset does nothing (D4)."""
        if self.generation_reset_id == reset.id:
            return self
        return replace(self, generation=Generation(self.generation + 1), generation_reset_id=reset.id)
