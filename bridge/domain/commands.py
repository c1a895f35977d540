"""What operators ask of a trigger, as records that its owner obeys in their order, each once (D2, D18)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from bridge.domain.model import TriggerName
from bridge.domain.replay import cancelled
from bridge.domain.standing import Pause, Place, Reset, ResetPhase, Standing

CONFLICT = "conflict"
"""Begins the error of a reset that came while another was under way."""


class Verb(Enum):
    """What can be asked for."""

    PAUSE = "pause"
    RESUME = "resume"
    RESET = "reset"
    CANCEL_RESET = "cancel_reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`id` names the asking, so that one that was sent twice can be told; `reset` is there with RESET only.

    `reset_id` names the reset to be called off with CANCEL_RESET.
    """

    id: str
    trigger: TriggerName
    verb: Verb
    by: str
    at: datetime
    reason: str = ""
    reset: Reset | None = None
    reset_id: str = ""


def is_obeyed(standing: Standing, place: Place) -> bool:
    """A command at this place was obeyed already, as far as the standing knows.

    Offsets alone would pass over every command of a control topic that was deleted and made anew; there the broker's
    time is later than that of the last one obeyed.
    """
    last = standing.obeyed
    return last is not None and place.offset <= last.offset and place.at_ms <= last.at_ms


def obeyed(standing: Standing, command: Command, place: Place | None = None) -> Standing:
    """The standing after a command; `place` is where it stands on the control topic, None where it stands nowhere.

    Obeying one twice changes nothing (I7). A reset that comes while another is under way is kept in the history as a
    failed one: of two that race the first one wins.
    """
    if place is not None and is_obeyed(standing, place):
        return standing
    changed = _changed(standing, command)
    if place is None:
        return changed
    at_ms = max(place.at_ms, standing.obeyed.at_ms if standing.obeyed else 0)
    return replace(changed, obeyed=Place(offset=place.offset, at_ms=at_ms))


def conflict(standing: Standing, reset: Reset) -> str:
    """Why this reset cannot begin now; empty where it can, or is known already."""
    under_way = standing.open_reset
    if under_way is None or any(known.id == reset.id for known in standing.resets):
        return ""
    return f"reset {under_way.id} is under way ({under_way.phase.value})"


def lost(reset: Reset) -> bool:
    """It was refused for another one that was under way."""
    return reset.phase is ResetPhase.FAILED and reset.error.startswith(f"{CONFLICT}: ")


def _changed(standing: Standing, command: Command) -> Standing:
    if command.verb is Verb.PAUSE:
        pause = Pause(by=command.by, at=command.at, reason=command.reason)
        return standing if standing.pause else replace(standing, pause=pause)
    if command.verb is Verb.RESUME:
        return replace(standing, pause=None)
    if command.verb is Verb.CANCEL_RESET:
        return cancelled(standing, command.reset_id, command.by, command.at)
    reset = command.reset
    if reset is None or any(known.id == reset.id for known in standing.resets):
        return standing
    if why := conflict(standing, reset):
        refused = replace(reset, phase=ResetPhase.FAILED, error=f"{CONFLICT}: {why}", finished_at=command.at)
        return standing.with_reset(refused)
    return standing.with_reset(reset)
