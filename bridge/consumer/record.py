"""A record of bridge as a subscriber sees it: headers parsed at once, the value when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import msgspec

RESULT_TYPE = "com.reinfer.trigger.result.v1"
DEAD_TYPE = "com.reinfer.trigger.dead.v1"
REDRIVEN_HEADER = "bridge_redriven_from"
TRACE_HEADERS = ("traceparent", "tracestate")

Headers = Sequence[tuple[str, bytes]]


class NotARecordError(ValueError):
    """What was read is none of bridge's records, or of a type that this release does not know; the text says which."""


class Message(Protocol):
    """What a Kafka client gives, as far as it is looked at; aiokafka's and FastStream's raw messages are such."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> Any: ...
    @property
    def value(self) -> Any: ...
    @property
    def headers(self) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """Where the result comes from: `name` is the bridge's own, the others are the platform's."""

    name: str
    project: str
    dataset: str
    trigger: str


@dataclass(frozen=True, kw_only=True)
class Matched:
    """A prediction that a route rests on; no probability where the platform sent none that is a number."""

    label: tuple[str, ...]
    probability: float | None
    min: float


class _Value(msgspec.Struct, frozen=True):
    """The members of the value that have a name here, undecoded; the others stay in the bytes."""

    trigger: msgspec.Raw = msgspec.Raw(b"null")
    sequence_id: msgspec.Raw = msgspec.Raw(b"null")
    route: msgspec.Raw = msgspec.Raw(b"null")
    comment: msgspec.Raw = msgspec.Raw(b"null")
    labels: msgspec.Raw = msgspec.Raw(b"null")
    entities: msgspec.Raw = msgspec.Raw(b"null")


_VALUES = msgspec.json.Decoder(_Value)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A result on a route.

    `id` is the idempotency key (`ce_id`), the same for every copy of a record; `source` is the platform's trigger, in
    whose order the records of a key stand; `generation` is raised by each reset. `created_at` is the comment's upload
    time as the platform wrote it, empty where it sent none. What the headers do not say is read from `value` at first
    use; a ValueError then means that the value was damaged on its way.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None = field(repr=False)
    value: bytes = field(repr=False)
    headers: Mapping[str, bytes] = field(repr=False)
    id: str
    type: str
    source: str
    generation: int
    route: str
    uid: str
    created_at: str

    @property
    def trace(self) -> dict[str, str]:
        """The W3C trace context the record was sent in, as OpenTelemetry's propagators take it."""
        return {name: self.headers[name].decode("ascii", "replace") for name in TRACE_HEADERS if name in self.headers}

    @property
    def redriven_from(self) -> str:
        """The dead letter it was, `<topic>/<partition>/<offset>`; empty for a record that was sent at its time."""
        return _text(self.headers, REDRIVEN_HEADER)

    @cached_property
    def trigger(self) -> Trigger:
        """As the record says."""
        said = _decoded(self._value.trigger)
        return Trigger(name=said["name"], project=said["project"], dataset=said["dataset"], trigger=said["trigger"])

    @cached_property
    def sequence_id(self) -> str:
        """The platform's position after this result. Opaque: never to be ordered or taken apart."""
        return str(_decoded(self._value.sequence_id))

    @cached_property
    def matched(self) -> tuple[Matched, ...]:
        """The predictions the route rests on."""
        said = _decoded(self._value.route)["matched"]
        return tuple(Matched(label=tuple(one["label"]), probability=one["probability"], min=one["min"]) for one in said)

    @cached_property
    def comment(self) -> dict[str, Any]:
        """As the platform sent it; of a dead letter only its identifiers."""
        return dict(_decoded(self._value.comment) or {})

    @cached_property
    def labels(self) -> list[dict[str, Any]]:
        """As the platform sent them."""
        return list(_decoded(self._value.labels) or [])

    @cached_property
    def entities(self) -> list[dict[str, Any]]:
        """As the platform sent them."""
        return list(_decoded(self._value.entities) or [])

    @cached_property
    def body(self) -> dict[str, Any]:
        """All of the value, unknown members included."""
        return dict(_decoded(self.value))

    @cached_property
    def _value(self) -> _Value:
        try:
            return _VALUES.decode(self.value)
        except msgspec.DecodeError:
            # msgspec refuses half of a surrogate pair, which mail can hold, and says so of damaged JSON as well.
            members = {name: msgspec.Raw(json.dumps(member).encode()) for name, member in self.body.items()}
            return _Value(**{name: members[name] for name in _Value.__struct_fields__ if name in members})


@dataclass(frozen=True, kw_only=True)
class DeadLetter(Record):
    """A result that could not take its road. `error` is a stable word to branch on."""

    error: str
    error_message: str
    original_topic: str


def record_of(message: Message) -> Record | DeadLetter:
    """The record in a message of aiokafka, or of FastStream (`message.raw_message`). Raises NotARecordError."""
    return parse(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=message.headers or (),
    )


def parse(
    *, topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None, headers: Headers
) -> Record | DeadLetter:
    """The record in what any Kafka client gives. Headers and members of other names are passed over.

    Raises NotARecordError, so that what others write to the same topic is told apart.
    """
    said = dict(headers)
    place = f"{topic}/{partition}/{offset}"
    common: dict[str, Any] = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "key": key,
        "value": value or b"",
        "headers": said,
        "id": _required(said, "ce_id", place),
        "type": _required(said, "ce_type", place),
        "source": _required(said, "ce_source", place),
        "generation": _generation(said, place),
        "route": _required(said, "ce_route", place),
        "uid": _text(said, "ce_subject"),
        "created_at": _text(said, "ce_time"),
    }
    match common["type"]:
        case str(kind) if kind == RESULT_TYPE:
            return Record(**common)
        case str(kind) if kind == DEAD_TYPE:
            return DeadLetter(
                **common,
                error=_text(said, "bridge_error"),
                error_message=_text(said, "bridge_error_message"),
                original_topic=_text(said, "bridge_original_topic"),
            )
        case other:
            raise NotARecordError(f"{place} is of the type {other!r}, which this release of bridge.consumer reads not")


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("utf-8", "backslashreplace")


def _required(headers: Mapping[str, bytes], name: str, place: str) -> str:
    if name not in headers:
        raise NotARecordError(f"{place} has no header {name}: it is none of bridge's records")
    return _text(headers, name)


def _generation(headers: Mapping[str, bytes], place: str) -> int:
    said = _required(headers, "ce_generation", place)
    if not (said.isascii() and said.isdigit()):
        raise NotARecordError(f"{place} has the ce_generation {said!r}, which is no number")
    return int(said)


def _decoded(raw: bytes | msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return json.loads(bytes(raw).decode("utf-8", "backslashreplace"), strict=False)
