"""What an operator wishes of a trigger and how far it got: kept outside the process, read back at start (D17, D18)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from bridge.domain.model import Generation, SequenceId

RESET_HISTORY_MAX = 100
REACHED_FIRSTS_MAX = 32
FIRST_GENERATION = Generation(0)
NONE_SEEN = SequenceId("")


class ResetPhase(Enum):
    """How far a reset is (design section 8); also: on the way back from a replay with an end, and called off."""

    REQUESTED = "requested"
    HOLDING = "holding"
    RESETTING = "resetting"
    REPLAYING = "replaying"
    RETURNING = "returning"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Nothing is left to do."""
        return self in (ResetPhase.DONE, ResetPhase.FAILED, ResetPhase.CANCELLED)

    @property
    def holds_the_worker(self) -> bool:
        """No cycle may run: the position and the generation do not belong together yet (I3)."""
        return not self.is_over and self is not ResetPhase.REPLAYING


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """Where a trigger stands: what lies up to `batch_id` is settled, and advancing to it brings the trigger back there.

    `last` is the last result before it, `last_at` its upload time; empty and None where none has been seen.
    """

    batch_id: SequenceId
    last: SequenceId = NONE_SEEN
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Upload times between which an old move of the position may lead until then: what its owner's batch can hold."""

    first: datetime
    last: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far a trigger had surely been advanced, written down now and then: whatever comes from before it comes again.

    `trigger` is its identity on the platform, `place` None before anything was advanced past, `high` the latest upload
    time advanced past, `firsts` begin the last batches. `is_at_work`: whoever wrote it has not ended in peace since,
    and may leave an advance under way; `spans` say so of owners before.
    """

    trigger: str
    generation: Generation
    place: Bookmark | None = None
    high: datetime | None = None
    firsts: tuple[SequenceId, ...] = ()
    spans: tuple[Span, ...] = ()
    is_at_work: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """One replay, as a resource with an identity: of results uploaded from `to_comment_created_at` on, before `until`.

    `saved` is where the trigger stood before. A replay that `has_end` publishes under a generation of its own and to
    topics with `topic_prefix` in front, then returns there. `replay_until` is when the platform was reset;
    `replayed_from` and `replayed_to` are upload times of the first and the latest result replayed so far.
    """

    id: str
    to_comment_created_at: datetime
    requested_at: datetime
    requested_by: str
    reason: str = ""
    allow_skip: bool = False
    until: datetime | None = None
    topic_prefix: str = ""
    phase: ResetPhase = ResetPhase.REQUESTED
    generation: Generation | None = None
    saved: Bookmark | None = None
    replay_until: datetime | None = None
    replayed: int = 0
    replayed_from: datetime | None = None
    replayed_to: datetime | None = None
    cancelled_by: str = ""
    finished_at: datetime | None = None
    error: str = ""

    @property
    def has_end(self) -> bool:
        """It ends where the trigger stood at the latest; without one it flows over into what is new."""
        return self.until is not None or bool(self.topic_prefix)

    def asks_for_the_same(self, other: Reset) -> bool:
        """What the two are asked to do is equal, however far each has got."""
        return self._wish() == other._wish()

    def _wish(self) -> tuple[object, ...]:
        return (self.to_comment_created_at, self.until, self.topic_prefix, self.allow_skip, self.reason)


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
    """The durable side of one trigger. `generation_reset_id` is what raised the generation last (D4).

    `trigger` is the platform's identity of the trigger that bears the name, empty until it is first written down.
    `obeyed` is the last command that was carried over into this: one that is delivered again does nothing.
    """

    generation: Generation = FIRST_GENERATION
    generation_reset_id: str = ""
    pause: Pause | None = None
    resets: tuple[Reset, ...] = field(default=())
    trigger: str = ""
    reached: Reached | None = None
    obeyed: Place | None = None

    @property
    def open_reset(self) -> Reset | None:
        """The reset under way; there is one at most."""
        return next((reset for reset in self.resets if not reset.phase.is_over), None)

    def reset_of(self, reset_id: str) -> Reset | None:
        """The reset of that id, over or not."""
        return next((reset for reset in self.resets if reset.id == reset_id), None)

    def with_reset(self, changed: Reset) -> Standing:
        """Add a reset, or replace the one of the same id; the oldest ended ones are let go, an open one never."""
        others = [reset for reset in self.resets if reset.id != changed.id]
        surplus = max(0, len(others) + 1 - RESET_HISTORY_MAX)
        gone = {reset.id for reset in [each for each in others if each.phase.is_over][:surplus]}
        return replace(self, resets=(*(reset for reset in others if reset.id not in gone), changed))

    def raised_by(self, cause: str) -> Standing:
        """The next generation. Raising it twice for one cause does nothing (D4)."""
        if self.generation_reset_id == cause:
            return self
        return replace(self, generation=Generation(self.generation + 1), generation_reset_id=cause)

    def bound_to(self, trigger: str, now: datetime) -> Standing:
        """As the trigger of that identity begins with it, which may have been given the name of another one.

        The pause stays, since nobody took it back, and the generation, so that none is forgotten when the name goes
        back. A reset under way was meant for the other trigger, and so was how far that had been advanced.
        """
        reached = self.reached if self.reached and self.reached.trigger == trigger else None
        bound = replace(self, trigger=trigger, reached=reached)
        if self.trigger not in ("", trigger) and (meant := bound.open_reset):
            error = f"its name was given to {trigger}"
            bound = bound.with_reset(replace(meant, phase=ResetPhase.FAILED, error=error, finished_at=now))
        return bound
