"""The records of the state topic: a format with a version, read by the releases before and after this one (D17, D18).

Keys for each trigger: `<trigger>/wish` (what an operator wants and how far it got), `<trigger>/generation`,
`<trigger>/reached` (how far it surely was, now and then), and with `delivery: exactly_once` `<trigger>/position`,
written in the transaction of the batch it speaks of (D3). Keys of other kinds and fields of other names are for other
releases, and are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from bridge.domain.errors import Fatal
from bridge.domain.model import Generation, SequenceId, TriggerName
from bridge.domain.position import Position
from bridge.domain.standing import Bookmark, Pause, Place, Reached, Reset, ResetPhase, Span, Standing

VERSION = 1
WISH = "wish"
GENERATION = "generation"
POSITION = "position"
REACHED = "reached"
STANDING = (WISH, GENERATION, REACHED)
EARLIER_WRITTEN_MAX = 32
"""Of the batches a position remembers: enough for what a dead owner may have had under way, little enough a record."""


class PauseRecord(msgspec.Struct, frozen=True):
    """As `Pause`."""

    by: str
    at: datetime
    reason: str = ""


class BookmarkRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """As `Bookmark`."""

    batch_id: str
    last: str = ""
    last_at: datetime | None = None


class ResetRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """As `Reset`; `over` tells a release that does not know the phase whether anything is left to do."""

    id: str
    to_comment_created_at: datetime
    requested_at: datetime
    requested_by: str
    phase: str
    over: bool
    reason: str = ""
    allow_skip: bool = False
    generation: int | None = None
    replay_until: datetime | None = None
    replayed: int = 0
    finished_at: datetime | None = None
    error: str = ""
    until: datetime | None = None
    topic_prefix: str = ""
    saved: BookmarkRecord | None = None
    replayed_from: datetime | None = None
    replayed_to: datetime | None = None
    cancelled_by: str = ""


class PlaceRecord(msgspec.Struct, frozen=True):
    """As `Place`."""

    offset: int
    at_ms: int


class WishRecord(msgspec.Struct, frozen=True):
    """Under `<trigger>/wish`; `obeyed` is the last command of the control topic that is in it."""

    version: int = VERSION
    pause: PauseRecord | None = None
    resets: tuple[ResetRecord, ...] = ()
    obeyed: PlaceRecord | msgspec.UnsetType = msgspec.UNSET
    writer: str | msgspec.UnsetType = msgspec.UNSET
    trigger: str | msgspec.UnsetType = msgspec.UNSET


class SpanRecord(msgspec.Struct, frozen=True):
    """As `Span`."""

    first: datetime
    last: datetime
    until: datetime


class ReachedRecord(msgspec.Struct, frozen=True):
    """Under `<trigger>/reached`, as `Reached`."""

    trigger: str
    generation: int
    place: BookmarkRecord | None = None
    version: int = VERSION
    high: datetime | None = None
    firsts: tuple[str, ...] = ()
    spans: tuple[SpanRecord, ...] = ()
    at_work: bool = True
    writer: str | msgspec.UnsetType = msgspec.UNSET


class GenerationRecord(msgspec.Struct, frozen=True):
    """Under `<trigger>/generation`; `reset_id` is the reset that raised it last."""

    version: int = VERSION
    generation: int = 0
    reset_id: str = ""
    writer: str | msgspec.UnsetType = msgspec.UNSET


class PositionRecord(msgspec.Struct, frozen=True):
    """Under `<trigger>/position`, as `Position`: a contract with consumers, who read from it what is complete.

    Everything up to `batch_id` is on the topics, in one transaction with this record or before; `records` is what the
    batch brought, by route.
    """

    trigger: str
    generation: int
    first: str
    last: str
    batch_id: str
    version: int = VERSION
    records: dict[str, int] = {}
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRecord:
    """A record as it stands on the topic; no value means that the key was deleted."""

    key: bytes
    value: bytes | None
    offset: int = -1
    at_ms: int = 0


def records_of(name: TriggerName, standing: Standing, writer: str = "") -> tuple[StateRecord, ...]:
    """The standing of a trigger, spelled out; equal standings of one writer (a process) are equal bytes."""
    pause, obeyed = standing.pause, standing.obeyed
    wish = WishRecord(
        pause=PauseRecord(by=pause.by, at=pause.at, reason=pause.reason) if pause else None,
        resets=tuple(spelled(reset) for reset in standing.resets),
        trigger=standing.trigger or msgspec.UNSET,
        obeyed=PlaceRecord(offset=obeyed.offset, at_ms=obeyed.at_ms) if obeyed else msgspec.UNSET,
        writer=writer or msgspec.UNSET,
    )
    raised = GenerationRecord(
        generation=standing.generation, reset_id=standing.generation_reset_id, writer=writer or msgspec.UNSET
    )
    records = (
        StateRecord(key=f"{name}/{WISH}".encode(), value=msgspec.json.encode(wish)),
        StateRecord(key=f"{name}/{GENERATION}".encode(), value=msgspec.json.encode(raised)),
    )
    if standing.reached is None:
        return records
    reached = msgspec.json.encode(_spelled_reached(standing.reached, writer))
    return (*records, StateRecord(key=f"{name}/{REACHED}".encode(), value=reached))


class _Written(msgspec.Struct, frozen=True):
    writer: str = ""


def writer_of(record: StateRecord) -> str:
    """The process that wrote a record of a standing; empty for one of a release that did not say."""
    try:
        return msgspec.json.decode(record.value or b"{}", type=_Written).writer
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def joined(standing: Standing, record: StateRecord) -> Standing:
    """The standing with one more of its trigger's records. Raises Fatal for one that cannot be read."""
    return _joined(standing, record.key.decode("utf-8", "replace").rpartition("/")[2], record)


def name_of(record: StateRecord) -> TriggerName:
    """The trigger that a record is of."""
    return TriggerName(record.key.decode("utf-8", "replace").rpartition("/")[0])


def is_of_standing(record: StateRecord) -> bool:
    """It is part of a standing, and so never part of a transaction."""
    return record.key.rpartition(b"/")[2].decode("utf-8", "replace") in STANDING


def position_key(name: TriggerName) -> bytes:
    """Where a trigger's position stands."""
    return f"{name}/{POSITION}".encode()


def position_record(name: TriggerName, position: Position) -> StateRecord:
    """The position of a trigger, spelled out."""
    spelled = PositionRecord(
        trigger=position.trigger,
        generation=position.generation,
        first=position.first,
        last=position.last,
        batch_id=position.batch_id,
        records=dict(position.records),
        earlier=position.earlier[-EARLIER_WRITTEN_MAX:],
    )
    return StateRecord(key=position_key(name), value=msgspec.json.encode(spelled))


def position_of(name: TriggerName, records: Iterable[StateRecord]) -> Position | None:
    """The last of a trigger's positions. Raises Fatal for one that cannot be read: without it batches come twice."""
    key = position_key(name)
    latest = next((record for record in reversed(list(records)) if record.key == key), None)
    return None if latest is None else position_in(latest)


def is_of_position(record: StateRecord) -> bool:
    """It is a position of some trigger."""
    return record.key.rpartition(b"/")[2] == POSITION.encode()


def position_in(record: StateRecord) -> Position | None:
    """The position in its record; None where it was deleted. Raises Fatal for one that cannot be read."""
    if not record.value:
        return None
    try:
        read = msgspec.json.decode(record.value, type=PositionRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(record, error) from error
    return Position(
        trigger=read.trigger,
        generation=Generation(read.generation),
        first=SequenceId(read.first),
        last=SequenceId(read.last),
        batch_id=SequenceId(read.batch_id),
        records=read.records,
        earlier=tuple(map(SequenceId, read.earlier)),
    )


def standings_of(records: Iterable[StateRecord]) -> Mapping[TriggerName, Standing]:
    """The standings that the topic, read from its beginning, ends with.

    Raises Fatal for a record of ours that cannot be read: going on without it could forget a pause or a generation.
    """
    latest: dict[bytes, StateRecord] = {record.key: record for record in records}
    standings: dict[TriggerName, Standing] = {}
    for record in latest.values():
        name, _, kind = record.key.decode("utf-8", "replace").rpartition("/")
        if record.value is None or kind not in STANDING:
            continue
        before = standings.get(TriggerName(name), Standing())
        standings[TriggerName(name)] = _joined(before, kind, record)
    return standings


def _joined(standing: Standing, kind: str, record: StateRecord) -> Standing:
    value = record.value or b""
    try:
        if kind == WISH:
            return _wished(standing, msgspec.json.decode(value, type=WishRecord))
        if kind == REACHED:
            return replace(standing, reached=_read_reached(msgspec.json.decode(value, type=ReachedRecord)))
        raised = msgspec.json.decode(value, type=GenerationRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(record, error) from error
    return replace(standing, generation=Generation(raised.generation), generation_reset_id=raised.reset_id)


def _wished(standing: Standing, wish: WishRecord) -> Standing:
    resets = tuple(read(reset) for reset in wish.resets)
    trigger = wish.trigger if isinstance(wish.trigger, str) else ""
    obeyed = Place(offset=wish.obeyed.offset, at_ms=wish.obeyed.at_ms) if wish.obeyed else None
    return replace(standing, pause=_paused(wish.pause), resets=resets, trigger=trigger, obeyed=obeyed)


def _unreadable(record: StateRecord, error: Exception) -> Fatal:
    where = f"the state record {record.key.decode('utf-8', 'replace')!r} at offset {record.offset}"
    return Fatal(f"{where} cannot be read: {error}", code="state_unreadable")


def _paused(record: PauseRecord | None) -> Pause | None:
    return Pause(by=record.by, at=record.at, reason=record.reason) if record else None


def spelled(reset: Reset) -> ResetRecord:
    """A reset, as it is written in a wish and in a command."""
    return ResetRecord(
        id=reset.id,
        to_comment_created_at=reset.to_comment_created_at,
        requested_at=reset.requested_at,
        requested_by=reset.requested_by,
        phase=reset.phase.value,
        over=reset.phase.is_over,
        reason=reset.reason,
        allow_skip=reset.allow_skip,
        generation=reset.generation,
        replay_until=reset.replay_until,
        replayed=reset.replayed,
        finished_at=reset.finished_at,
        error=reset.error,
        until=reset.until,
        topic_prefix=reset.topic_prefix,
        saved=_spelled_bookmark(reset.saved),
        replayed_from=reset.replayed_from,
        replayed_to=reset.replayed_to,
        cancelled_by=reset.cancelled_by,
    )


def read(record: ResetRecord) -> Reset:
    """The way back."""
    return Reset(
        id=record.id,
        to_comment_created_at=record.to_comment_created_at,
        requested_at=record.requested_at,
        requested_by=record.requested_by,
        reason=record.reason,
        allow_skip=record.allow_skip,
        phase=_phase(record),
        generation=None if record.generation is None else Generation(record.generation),
        replay_until=record.replay_until,
        replayed=record.replayed,
        finished_at=record.finished_at,
        error=record.error,
        until=record.until,
        topic_prefix=record.topic_prefix,
        saved=_read_bookmark(record.saved),
        replayed_from=record.replayed_from,
        replayed_to=record.replayed_to,
        cancelled_by=record.cancelled_by,
    )


def _spelled_reached(reached: Reached, writer: str) -> ReachedRecord:
    spans = tuple(SpanRecord(first=span.first, last=span.last, until=span.until) for span in reached.spans)
    return ReachedRecord(
        trigger=reached.trigger,
        generation=reached.generation,
        place=_spelled_bookmark(reached.place),
        high=reached.high,
        firsts=reached.firsts,
        spans=spans,
        at_work=reached.is_at_work,
        writer=writer or msgspec.UNSET,
    )


def _read_reached(record: ReachedRecord) -> Reached:
    return Reached(
        trigger=record.trigger,
        generation=Generation(record.generation),
        place=_read_bookmark(record.place),
        high=record.high,
        firsts=tuple(map(SequenceId, record.firsts)),
        spans=tuple(Span(first=span.first, last=span.last, until=span.until) for span in record.spans),
        is_at_work=record.at_work,
    )


def _spelled_bookmark(bookmark: Bookmark | None) -> BookmarkRecord | None:
    return (
        BookmarkRecord(batch_id=bookmark.batch_id, last=bookmark.last, last_at=bookmark.last_at) if bookmark else None
    )


def _read_bookmark(record: BookmarkRecord | None) -> Bookmark | None:
    if record is None:
        return None
    return Bookmark(batch_id=SequenceId(record.batch_id), last=SequenceId(record.last), last_at=record.last_at)


def _phase(record: ResetRecord) -> ResetPhase:
    """A phase of a later release: over is over; otherwise the reset is done anew, which repeats but loses nothing."""
    try:
        return ResetPhase(record.phase)
    except ValueError:
        return ResetPhase.FAILED if record.over else ResetPhase.REQUESTED
