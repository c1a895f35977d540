"""The records of the status topic: what an owner shows of a trigger (D17, D19).

Under the trigger's name a moment's view, replaced every few seconds; under `<trigger>/counts` what it has counted of
the thresholds, now and then. What cannot be read is passed over.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from bridge.adapters.kafka.state_format import StateRecord, name_of
from bridge.domain.census import BUCKETS
from bridge.domain.counts import Counts, Tally
from bridge.domain.model import Generation, SequenceId, TriggerName
from bridge.domain.status import LastError, Report, State, Status

VERSION = 1
COUNTS = "counts"


class ErrorRecord(msgspec.Struct, frozen=True):
    """As `LastError`."""

    code: str
    message: str
    at: datetime


class StatusRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """As `Status`, with its owner."""

    owner: str
    at: datetime
    state: str
    version: int = VERSION
    reason: str = ""
    generation: int = 0
    position: str | None = None
    next_attempt: datetime | None = None
    oldest_pending: datetime | None = None
    last_advance: datetime | None = None
    last_progress: datetime | None = None
    last_error: ErrorRecord | None = None
    failures_in_a_row: int = 0
    results: int = 0
    filtered: int = 0
    unmatched: int = 0
    skipped_duplicates: int = 0
    published: dict[str, int] = {}
    dead_letters: dict[str, int] = {}
    shadowed: dict[str, int] = {}


class TallyRecord(msgspec.Struct, frozen=True):
    """As `Tally`: a count for each hundredth of probability, from 0 to 1."""

    shown: tuple[int, ...]
    decided: tuple[int, ...]
    taken: int


class CountsRecord(msgspec.Struct, frozen=True):
    """As `Counts`."""

    owner: str
    at: datetime
    rules: str
    since: datetime
    results: int
    counted: int
    left_out: int
    tallies: tuple[TallyRecord, ...]
    version: int = VERSION


def status_record(report: Report) -> StateRecord:
    """A report, spelled out."""
    status, error = report.status, report.status.last_error
    spelled = StatusRecord(
        owner=report.owner,
        at=report.at,
        state=status.state.value,
        reason=status.reason,
        generation=status.generation,
        position=status.position,
        next_attempt=status.next_attempt,
        oldest_pending=status.oldest_pending,
        last_advance=status.last_advance,
        last_progress=status.last_progress,
        last_error=ErrorRecord(code=error.code, message=error.message, at=error.at) if error else None,
        failures_in_a_row=status.failures_in_a_row,
        results=status.results,
        filtered=status.filtered,
        unmatched=status.unmatched,
        skipped_duplicates=status.skipped_duplicates,
        published=dict(status.published),
        dead_letters=dict(status.dead_letters),
        shadowed=dict(status.shadowed),
    )
    return StateRecord(key=status.name.encode(), value=msgspec.json.encode(spelled))


def report_of(record: StateRecord) -> Report | None:
    """The way back; None for what another release may understand."""
    try:
        read = msgspec.json.decode(record.value or b"", type=StatusRecord)
        state = State(read.state)
    except (msgspec.MsgspecError, ValueError):
        return None
    error = read.last_error
    status = Status(
        name=TriggerName(record.key.decode("utf-8", "replace")),
        state=state,
        reason=read.reason,
        generation=Generation(read.generation),
        position=None if read.position is None else SequenceId(read.position),
        next_attempt=read.next_attempt,
        oldest_pending=read.oldest_pending,
        last_advance=read.last_advance,
        last_progress=read.last_progress,
        last_error=LastError(code=error.code, message=error.message, at=error.at) if error else None,
        failures_in_a_row=read.failures_in_a_row,
        results=read.results,
        filtered=read.filtered,
        unmatched=read.unmatched,
        skipped_duplicates=read.skipped_duplicates,
        published=read.published,
        dead_letters=read.dead_letters,
        shadowed=read.shadowed,
    )
    return Report(status=status, owner=read.owner, at=read.at)


def counts_record(counts: Counts) -> StateRecord:
    """Counts, spelled out."""
    written = CountsRecord(
        owner=counts.owner,
        at=counts.at,
        rules=counts.rules,
        since=counts.since,
        results=counts.results,
        counted=counts.counted,
        left_out=counts.left_out,
        tallies=tuple(
            TallyRecord(shown=tuple(each.shown), decided=tuple(each.decided), taken=each.taken)
            for each in counts.tallies
        ),
    )
    return StateRecord(key=f"{counts.name}/{COUNTS}".encode(), value=msgspec.json.encode(written))


def is_of_counts(record: StateRecord) -> bool:
    """It is no report."""
    return record.key.endswith(f"/{COUNTS}".encode())


def counts_in(record: StateRecord) -> Counts | None:
    """The way back; None for what another release may understand."""
    try:
        read = msgspec.json.decode(record.value or b"", type=CountsRecord)
    except (msgspec.MsgspecError, ValueError):
        return None
    if any(len(histogram) != BUCKETS for each in read.tallies for histogram in (each.shown, each.decided)):
        return None
    return Counts(
        name=name_of(record),
        owner=read.owner,
        at=read.at,
        rules=read.rules,
        since=read.since,
        results=read.results,
        counted=read.counted,
        left_out=read.left_out,
        tallies=tuple(Tally(shown=each.shown, decided=each.decided, taken=each.taken) for each in read.tallies),
    )
