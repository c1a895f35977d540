"""Where operators' wishes arrive and what they are answered from, whichever process works on the trigger (D19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.domain.model import TriggerName
from bridge.domain.plan import TriggerPlan
from bridge.domain.standing import Reset, Standing
from bridge.domain.status import Status


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


class Desk(Protocol):
    """The admin API's view of the deployment. Every method raises Retry while the standings are still being read."""

    def names(self) -> Sequence[TriggerName]:
        """Of every configured trigger, sorted."""
        ...

    def seen(self, name: TriggerName) -> Seen:
        """Raises UnknownTriggerError."""
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
