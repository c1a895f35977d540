"""Where operators' wishes arrive and what they are answered from, whichever process works on the trigger (D19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.domain.census import Census
from bridge.domain.model import TriggerName
from bridge.domain.plan import TriggerPlan
from bridge.domain.standing import Reset, Standing
from bridge.domain.status import Status


class UnknownTriggerError(LookupError):
    """No trigger of that name is configured here."""


class ConflictError(Exception):
    """What was asked for does not go together with what is under way."""


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

    def census(self, name: TriggerName) -> Census | None:
        """What its worker has counted; None where that is known to another process only. Raises UnknownTriggerError."""
        ...

    async def pause(self, name: TriggerName, by: str, reason: str) -> None:
        """Durable before it returns (D18). Raises UnknownTriggerError."""
        ...

    async def resume(self, name: TriggerName, by: str) -> None:
        """Durable before it returns. Raises UnknownTriggerError."""
        ...

    async def reset(self, name: TriggerName, reset: Reset) -> Reset:
        """Durable before it returns; one of a known id is that one.

        Raises UnknownTriggerError, ConflictError while another is under way, WouldSkipError, and what a fetch raises.
        """
        ...
