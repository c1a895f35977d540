"""Whether a record is to be worked on: a pure judgement over what is known of the lane it stands on.

A lane is what one trigger writes to one partition. bridge writes it in the trigger's order, so the lane itself says
what is late:

- REPEAT: a record of this id was worked on before.
- OLDER_GENERATION: it stands behind a record of a later generation of its lane. Such a copy is one that a broker
  appended late; whatever it says was delivered again, or was passed over on purpose, in the later generation. A dead
  letter that was redriven is none: it comes late on purpose, in the generation it was meant for.

Generations are never compared across partitions or topics. A subscriber reads partitions at different speeds: a record
of generation 0 that waits on a slow one may lie before the instant the trigger was reset to, and then no later
generation ever brings it again. For the same reason the place decides, not the order of reading: what Kafka delivers
once more after a rebalance stands where it stood.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol

from bridge.consumer.record import Record


class Lane(NamedTuple):
    """What one trigger writes to one partition."""

    source: str
    topic: str
    partition: int

    @classmethod
    def of(cls, record: Record) -> Lane:
        """The lane a record stands on."""
        return cls(record.source, record.topic, record.partition)


class Verdict(Enum):
    """Only what is FRESH is to be worked on; the others can be acknowledged and forgotten."""

    FRESH = "fresh"
    REPEAT = "repeat"
    OLDER_GENERATION = "older_generation"


class Known(Protocol):
    """What is remembered of the records that were worked on: `Window` in memory, or a table of your own."""

    def has(self, lane: Lane, record_id: str) -> bool:
        """Whether a record of this id was worked on."""

    def later_since(self, lane: Lane, generation: int) -> int | None:
        """The lowest known offset of a record of a later generation than this one; None where none is known."""


def judge(known: Known, record: Record) -> Verdict:
    """Changes nothing. The record is to be noted once it was worked on, never before: a failure would lose it."""
    lane = Lane.of(record)
    if known.has(lane, record.id):
        return Verdict.REPEAT
    later_since = known.later_since(lane, record.generation)
    if later_since is not None and later_since < record.offset and not record.redriven_from:
        return Verdict.OLDER_GENERATION
    return Verdict.FRESH
