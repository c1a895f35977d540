"""The records of the control topic: commands, keyed by trigger, read by the releases before and after this one (D17).

Fields of other names are passed over; a command of a kind that is not known here cannot be obeyed here, and its reader
says so.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from bridge.adapters.kafka.state_format import ResetRecord, StateRecord, read, spelled
from bridge.domain.commands import Command, Verb
from bridge.domain.model import TriggerName

VERSION = 1


class CommandRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """As `Command`; a reset stands in it as it stands in a wish."""

    id: str
    trigger: str
    command: str
    by: str
    at: datetime
    version: int = VERSION
    reason: str = ""
    reset: ResetRecord | None = None
    reset_id: str = ""


class UnknownCommandError(ValueError):
    """A record that is no command, or none of this release. The message quotes no more of it than its place."""


def command_record(command: Command) -> StateRecord:
    """A command, spelled out."""
    written = CommandRecord(
        id=command.id,
        trigger=command.trigger,
        command=command.verb.value,
        by=command.by,
        at=command.at,
        reason=command.reason,
        reset=spelled(command.reset) if command.reset else None,
        reset_id=command.reset_id,
    )
    return StateRecord(key=command.trigger.encode(), value=msgspec.json.encode(written))


def command_of(value: bytes | None) -> Command:
    """The way back. Raises UnknownCommandError."""
    try:
        found = msgspec.json.decode(value or b"", type=CommandRecord)
        verb = Verb(found.command)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnknownCommandError("no command that this release knows") from error
    return Command(
        id=found.id,
        trigger=TriggerName(found.trigger),
        verb=verb,
        by=found.by,
        at=found.at,
        reason=found.reason,
        reset=read(found.reset) if found.reset else None,
        reset_id=found.reset_id,
    )
