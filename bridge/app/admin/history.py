"""Who did what to a trigger, and how it went, as far as it is written down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from bridge.domain.standing import Reset, Standing
from bridge.engine.desk import Past


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One wish of an operator. `detail` says what became of a reset."""

    id: str
    at: datetime
    kind: str
    by: str
    reason: str
    detail: str


def entries_of(past: Iterable[Past], standing: Standing) -> list[Entry]:
    """Newest first: the commands that are kept, and what the standing remembers longer than they are."""
    known = {reset.id: reset for reset in standing.resets}
    entries = [_of_command(each, known) for each in past]
    told = {entry.id for entry in entries}
    entries += [_of_reset(reset) for reset in standing.resets if reset.id not in told]
    pause = standing.pause
    if pause and not any(entry.kind == "pause" and entry.at == pause.at for entry in entries):
        entry_id = f"pause-{pause.at.timestamp():.6f}"
        entries.append(Entry(id=entry_id, at=pause.at, kind="pause", by=pause.by, reason=pause.reason, detail=""))
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def _of_command(past: Past, known: dict[str, Reset]) -> Entry:
    command = past.command
    if command.reset:
        return _of_reset(known.get(command.reset.id, command.reset))
    kind = command.verb.value
    return Entry(id=command.id, at=command.at, kind=kind, by=command.by, reason=command.reason, detail="")


def _of_reset(reset: Reset) -> Entry:
    generation = "" if reset.generation is None else f", generation {reset.generation}"
    detail = f"to {reset.to_comment_created_at.isoformat()}: {reset.phase.value}{generation}"
    return Entry(
        id=reset.id,
        at=reset.requested_at,
        kind="reset",
        by=reset.requested_by,
        reason=reset.reason,
        detail=f"{detail}: {reset.error}" if reset.error else detail,
    )
