"""A record of ours as it stands on a topic, by its headers (design section 6): what audits and searches are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from bridge.domain.delivery import MARK_KEY_BYTES, MarkKey
from bridge.domain.record import DEAD_LETTER_TYPE

REDRIVEN_FROM = "bridge_redriven_from"
"""Header of a record that a redrive published: `<topic>/<partition>/<offset>` of the dead letter it came from."""

SEARCH_RECORDS_MAX = 200_000
FOUND_MAX = 100


class Writer(NamedTuple):
    """The producer as the broker knows it. Another id or epoch is another producer: one given up, or a new process."""

    producer_id: int
    epoch: int


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int

    @property
    def spelled(self) -> str:
        """As people and headers name it."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class TopicRecord(NamedTuple):
    """Read by the million, hence a tuple. `trigger` is the platform's identity of it, `value` empty where not wanted.

    `written_ms` is the time the topic keeps: the sender's, or the broker's where it is configured so. `dead_reason` is
    the code of a dead letter and `meant_for` the topic it was to reach, both empty on other records.
    """

    place: Place
    written_ms: int
    key: bytes | None
    mark: MarkKey
    trigger: str
    generation: int
    route: str
    uid: str
    created_at: str
    is_dead: bool
    dead_reason: str
    meant_for: str
    redriven_from: str
    writer: Writer
    is_transactional: bool
    value: bytes

    @property
    def written_at(self) -> datetime:
        return datetime.fromtimestamp(self.written_ms / 1000, UTC)

    @property
    def ce_id(self) -> str:
        """The idempotency key as consumers see it."""
        return self.mark.hex()


def topic_record(
    place: Place,
    written_ms: int,
    key: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    writer: Writer,
    is_transactional: bool,
    value: bytes,
) -> TopicRecord | None:
    """None for a record that is not ours: others may write to the same topics."""
    found = dict(headers)
    try:
        mark = MarkKey(bytes.fromhex(_text(found["ce_id"])))
        trigger = identity_of(_text(found["ce_source"]))
        generation = int(_text(found["ce_generation"]))
        route = _text(found["ce_route"])
    except (KeyError, ValueError):
        return None
    if len(mark) != MARK_KEY_BYTES or not trigger:
        return None
    return TopicRecord(
        place,
        written_ms,
        key,
        mark,
        trigger,
        generation,
        route,
        _text(found.get("ce_subject")),
        _text(found.get("ce_time")),
        found.get("ce_type") == DEAD_LETTER_TYPE,
        _text(found.get("bridge_error")),
        _text(found.get("bridge_original_topic")),
        _text(found.get(REDRIVEN_FROM)),
        writer,
        is_transactional,
        value,
    )


def identity_of(source: str) -> str:
    """`project/dataset/trigger` of a `ce_source`; empty where it is none of ours."""
    project, _, rest = source.removeprefix("/").partition("/")
    dataset, middle, trigger = rest.partition("/triggers/")
    return f"{project}/{dataset}/{trigger}" if middle and source.startswith("/") else ""


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far a search may go: not before `since`, reading `records_max` at most, ending with `found_max` of them."""

    since: datetime | None = None
    records_max: int = SEARCH_RECORDS_MAX
    found_max: int = FOUND_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was found, newest first. `is_whole` is false where the bounds cut it short and there may be more.

    `searched_since` is the oldest instant of which everything was read; None where nothing was.
    """

    records: tuple[TopicRecord, ...]
    records_read: int
    is_whole: bool
    searched_since: datetime | None
