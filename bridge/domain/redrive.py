"""Deciding dead letters again: what was asked for, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
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
    """`is_whole` is false where dead letters are left: more than the limit, or behind the error in `stopped_by`.

    `unmarked` are records that are acked and whose marks the ledger did not take; on the topics they are found anyway.
    """

    trigger: str
    items: tuple[Redriven, ...] = ()
    is_whole: bool = True
    stopped_by: str = ""
    unmarked: int = 0

    @property
    def fates(self) -> Mapping[str, int]:
        """How many by fate."""
        return Counter(item.fate.value for item in self.items)

    def as_json(self) -> dict[str, object]:
        """For scripts; uids and codes, never contents (I10)."""
        return {
            "trigger": self.trigger,
            "whole": self.is_whole,
            "stopped_by": self.stopped_by or None,
            "unmarked": self.unmarked,
            "fates": dict(self.fates),
            "dead_letters": [
                {
                    "dead_letter": item.dead_letter,
                    "uid": item.uid,
                    "fate": item.fate.value,
                    "reason": item.reason or None,
                    "topics": list(item.topics),
                }
                for item in self.items
            ],
        }
