"""Who did what to a trigger, as far as it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bridge.domain.standing import Reset, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One wish of an operator. `id` is its reset's where it is one."""

    id: str
    at: datetime
    kind: str
    by: str
    reason: str
    detail: str


def commands_of(standing: Standing) -> list[Command]:
    """Newest first: the resets, and the pause that holds."""
    commands = [_of_reset(reset) for reset in standing.resets]
    if pause := standing.pause:
        at = pause.at
        commands.append(
            Command(id=f"pause-{at.timestamp():.3f}", at=at, kind="pause", by=pause.by, reason=pause.reason, detail="")
        )
    return sorted(commands, key=lambda command: command.at, reverse=True)


def _of_reset(reset: Reset) -> Command:
    generation = "" if reset.generation is None else f", generation {reset.generation}"
    detail = f"to {reset.to_comment_created_at.isoformat()}: {reset.phase.value}{generation}"
    return Command(
        id=reset.id,
        at=reset.requested_at,
        kind="reset",
        by=reset.requested_by,
        reason=reset.reason,
        detail=f"{detail}: {reset.error}" if reset.error else detail,
    )
