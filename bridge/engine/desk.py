"""Where operators' wishes arrive and what they are answered from, whichever process works on the trigger (D19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.domain.census import Census, CensusTaken
from bridge.domain.commands import CONFLICT, Command, lost
from bridge.domain.model import TriggerName
from bridge.domain.plan import TriggerPlan
from bridge.domain.replay import why_not_cancelled, would_skip
from bridge.domain.standing import Reset, Standing
from bridge.domain.status import Status
from bridge.engine.cycle import Neighbours


class UnknownTriggerError(LookupError):
    """No trigger of that name is configured here."""


class ConflictError(Exception):
    """What was asked for does not go together with what is under way, or has been."""


class UnknownResetError(LookupError):
    """The trigger has no reset of that id."""


class UnfitResetError(Exception):
    """A reset that can never be done as it is written; the words say why."""


class OtherResetError(Exception):
    """The id, made of an idempotency key, is of a reset that was asked for in other words."""


class WouldSkipError(Exception):
    """The reset goes forward past results nobody has got yet, and was not asked to (`allow_skip`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One trigger as it can be seen from here. `owner` is the process that works on it, empty while there is none."""

    plan: TriggerPlan
    standing: Standing
    status: Status
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What is known here of a trigger's thresholds: as `by` had counted by the time `at`, both empty for nothing."""

    taken: CensusTaken
    by: str = ""
    at: datetime | None = None
    is_here: bool = False


def check_fit(plan: TriggerPlan, reset: Reset, known: Reset | None) -> None:
    """Refuse what can never be done: `known` is the reset of the same id, if there is one.

    Raises UnfitResetError or OtherResetError.
    """
    if known is not None:
        if not known.asks_for_the_same(reset):
            raise OtherResetError(f"reset {reset.id} was asked for with other words under the same key")
        return
    if reset.until is not None and reset.until <= reset.to_comment_created_at:
        raise UnfitResetError("until is not later than to_comment_created_at: there is nothing between them")
    why_not = plan.why_not_prefixed(reset.topic_prefix) if reset.topic_prefix else ""
    if why_not:
        raise UnfitResetError(why_not)


def check_cancel(standing: Standing, name: TriggerName, reset_id: str) -> None:
    """Raises UnknownResetError, and ConflictError where it is too late."""
    reset = standing.reset_of(reset_id)
    if reset is None:
        raise UnknownResetError(name, reset_id)
    if why_not := why_not_cancelled(reset):
        raise ConflictError(why_not)


def settled_cancel(standing: Standing, name: TriggerName, reset_id: str) -> Reset:
    """The reset that was called off; raises ConflictError where it was over by then."""
    check_cancel(standing, name, reset_id)
    return next(known for known in standing.resets if known.id == reset_id)


async def refuse_to_skip(plan: TriggerPlan, standing: Standing, reset: Reset, neighbours: Neighbours) -> None:
    """Raises as `check_fit`, as a fetch, and WouldSkipError for a new forward reset without `allow_skip`."""
    check_fit(plan, reset, standing.reset_of(reset.id))
    if reset.allow_skip or any(known.id == reset.id for known in standing.resets):
        return
    pending = await neighbours.source.fetch(plan.ref, plan.batch_size)
    if would_skip(pending, reset.to_comment_created_at, neighbours.clock.now()):
        instant = reset.to_comment_created_at.isoformat()
        raise WouldSkipError(f"results uploaded before {instant} have not been published yet")


def settled_reset(standing: Standing, reset_id: str) -> Reset:
    """The reset as it stands; raises ConflictError where another one was before it."""
    reset = next(known for known in standing.resets if known.id == reset_id)
    if lost(reset):
        raise ConflictError(reset.error.removeprefix(f"{CONFLICT}: "))
    return reset


def told_of(command: Command) -> dict[str, object]:
    """The fields of its audit line."""
    told: dict[str, object] = {"command_id": command.id}
    if command.reason:
        told["reason"] = command.reason
    if command.reset:
        told |= {"reset": command.reset.id, "to": command.reset.to_comment_created_at.isoformat()}
    if command.reset_id:
        told["reset"] = command.reset_id
    return told


class Workplace(Protocol):
    """What the health of this process is told by."""

    @property
    def is_ready(self) -> bool:
        """It has begun to work, or has nothing to work on."""
        ...

    def statuses(self) -> Sequence[Status]:
        """Of every worker here."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A command of a trigger's history; `offset` is its place on the control topic, None where there is none."""

    command: Command
    offset: int | None


class Desk(Protocol):
    """The admin API's view of the deployment. Every method raises Retry while the standings are still being read."""

    def names(self) -> Sequence[TriggerName]:
        """Of every configured trigger, sorted."""
        ...

    def seen(self, name: TriggerName) -> Seen:
        """Raises UnknownTriggerError."""
        ...

    def census(self, name: TriggerName) -> Census | None:
        """Of the worker here; None where another process has it, or nobody. Raises UnknownTriggerError."""
        ...

    def counted(self, name: TriggerName) -> Counted:
        """By whichever process. Raises UnknownTriggerError."""
        ...

    async def pause(self, name: TriggerName, by: str, reason: str) -> None:
        """Durable before it returns (D18). Raises UnknownTriggerError."""
        ...

    async def resume(self, name: TriggerName, by: str) -> None:
        """Durable before it returns. Raises UnknownTriggerError."""
        ...

    async def reset(self, name: TriggerName, reset: Reset) -> Reset:
        """Durable before it returns; one of a known id is that one.

        Raises UnknownTriggerError, UnfitResetError, OtherResetError for a known id with other wishes, ConflictError
        while another is under way, WouldSkipError, and what a fetch raises.
        """
        ...

    async def cancel_reset(self, name: TriggerName, reset_id: str, by: str) -> Reset:
        """Durable before it returns; carried out by the worker. One that is called off already is that one.

        Raises UnknownTriggerError, UnknownResetError, and ConflictError where it is too late.
        """
        ...

    async def history(self, name: TriggerName, last: int) -> Sequence[Past]:
        """The last commands, oldest first, as far back as they are kept. Raises UnknownTriggerError, Retry, Blocked."""
        ...
