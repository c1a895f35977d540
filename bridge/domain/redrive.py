"""Deciding dead letters again: what was asked for, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

REDRIVEN_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveWish:
    """The oldest `limit` dead letters of a trigger since then; with `dry_run` nothing is sent."""

    since: datetime | None = None
    limit: int = REDRIVEN_MAX
    dry_run: bool = False


class Fate(Enum):
    """What became of one dead letter."""

    REDRIVEN = "redriven"
    WOULD_REDRIVE = "would_redrive"
    ALREADY_THERE = "already_there"
    NO_ROUTE = "no_route"
    STILL_DEAD = "still_dead"
    NOT_RECOVERED = "not_recovered"
    NOT_ACKED = "not_acked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """One dead letter: where it stands, what became of it, and the topics it went to. `reason` is a stable code."""

    dead_letter: str
    uid: str
    fate: Fate
    reason: str = ""
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveReport:
    """`is_whole` is false where there are more dead letters than the limit let through."""

    trigger: str
    items: tuple[Redriven, ...] = field(default=())
    is_whole: bool = True

    @property
    def fates(self) -> Mapping[str, int]:
        """How many by fate."""
        return Counter(item.fate.value for item in self.items)
