"""The bytes of a record (design section 6): the result as the platform sent it, with what the bridge knows in front."""

from __future__ import annotations

import json
from base64 import b64encode
from binascii import hexlify
from collections.abc import Iterator, Mapping, Sequence

from bridge.domain.delivery import TRACEPARENT, Delivery, HeaderNames, Headers, MarkKey
from bridge.domain.model import Bytes, Generation, Label, Result, TriggerRef, Undecodable
from bridge.domain.rules import MatchedLabel

RESULT_TYPE = b"com.reinfer.trigger.result.v1"
DEAD_LETTER_TYPE = b"com.reinfer.trigger.dead.v1"
DEAD_LETTER_ROUTE = "dead_letter"
UNMATCHED_ROUTE = "unmatched"
RESERVED_KEYS = ("trigger", "generation", "route")
"""Keys of the record that are the bridge's own. A result that has one of them has it left out (see `spliced`)."""

_OWN: HeaderNames = ("ce_id", "ce_subject", "ce_time")
_OWN_WITHOUT_TIME = _OWN[:2]

RECORD_OVERHEAD_BYTES = 128
"""What Kafka's record format and batch header add to key, value and headers, rounded up."""

HEADER_OVERHEAD_BYTES = 10

FIXED_BYTES_MAX = 1_024
"""What the names of a result's headers, its constant ones and all overheads take, rounded up."""

IDENTIFIER_CHARS_MAX = 1_024
"""The platform's own limit of ids and thread ids; a dead letter cuts longer ones, or it would be too large itself."""


def text(value: str) -> bytes:
    """UTF-8; a lone surrogate, which no UTF-8 can hold, is written as its escape."""
    return value.encode("utf-8", "backslashreplace")


def bounded(identifier: str) -> str:
    """As much of it as a dead letter has room for."""
    return identifier[:IDENTIFIER_CHARS_MAX]


def compact(value: object) -> bytes:
    """JSON without blanks. ASCII, so that a lone surrogate stays an escape."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


class RecordWriter:
    """Writes the records of one trigger in one generation; what is the same for all of them is spelled once."""

    def __init__(self, name: str, ref: TriggerRef, generation: Generation, traceparent: str) -> None:
        trigger = {"name": name, "project": ref.project, "dataset": ref.dataset, "trigger": ref.trigger}
        self._opening = b'{"trigger":%b,"generation":%d,"route":' % (compact(trigger), generation)
        self._common: Headers = (
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_source", text(f"/{ref.project}/{ref.dataset}/triggers/{ref.trigger}")),
            ("ce_generation", b"%d" % generation),
            *(((TRACEPARENT, text(traceparent)),) if traceparent else ()),
        )
        self._routes: dict[tuple[str, str], RouteWriter] = {}

    def on(self, route: str, topic: str, ce_type: bytes = RESULT_TYPE) -> RouteWriter:
        """The writer of one route to one topic; a route has one type of records."""
        writer = self._routes.get((route, topic))
        if writer is None:
            named = compact({"name": route, "topic": topic})
            opening = b'%b%b,"matched":[' % (self._opening, named[:-1])
            headers = (*self._common, ("ce_type", ce_type), ("ce_route", text(route)))
            writer = self._routes[route, topic] = RouteWriter(opening, headers)
        return writer


class RouteWriter:
    """Writes the records of one route: `shared_headers` is one and the same object for all of them.

    The record of a result is what `front` writes and, behind that, what is `spliced` out of the result.
    """

    def __init__(self, opening: bytes, shared_headers: Headers) -> None:
        self.shared_headers = shared_headers
        self._opening = opening
        self._labels: dict[tuple[Label, float], tuple[bytes, bytes]] = {}
        self._alone: dict[tuple[Label, float], tuple[bytes, bytes]] = {}

    def front(self, matched: Sequence[MatchedLabel]) -> bytes:
        """Of a result that matched by these."""
        if len(matched) == 1:
            # Nearly always, and worth a road of its own: half the time of the other.
            label, probability, least = matched[0]
            before, after = self._alone.get((label, least)) or self._around_alone(label, least)
            return b"%b%a%b" % (before, probability, after)
        return b"%b%b]}," % (self._opening, b",".join(map(self._one_of_many, matched)))

    def _around_alone(self, label: Label, least: float) -> tuple[bytes, bytes]:
        """What stands before the probability of a label that is the only one, and behind it."""
        before, after = self._around(label, least)
        around = self._alone[label, least] = self._opening + before, after + b"]},"
        return around

    def _one_of_many(self, matched: MatchedLabel) -> bytes:
        before, after = self._around(matched.label, matched.min)
        return b"%b%a%b" % (before, matched.probability, after)

    def _around(self, label: Label, least: float) -> tuple[bytes, bytes]:
        around = self._labels.get((label, least))
        if around is None:
            before, after = b'{"label":%b,"probability":' % compact(label), b',"min":%b}' % _number(least)
            around = self._labels[label, least] = before, after
        return around

    def dead_letter(self, result: Result | Undecodable, code: str, bytes_max: int) -> bytes:
        """What is left of a result that cannot take its road: all of it if unreadable and small, else identifiers."""
        comment = {name: bounded(value) if value else None for name, value in _identifiers(result).items()}
        known: dict[str, object] = {"sequence_id": bounded(result.sequence_id), "comment": comment}
        head = b'%b]},%b,"error":%b' % (self._opening, compact(known)[1:-1], compact({"code": code}))
        whole = _whole(result) if isinstance(result, Undecodable) else b""
        if whole and len(head) + len(whole) < bytes_max - RECORD_OVERHEAD_BYTES:
            return b"%b,%b}" % (head, whole)
        return head + b"}"


def own_headers(mark: MarkKey, uid: str, created_at: str) -> tuple[HeaderNames, tuple[bytes, ...]]:
    """What no two records share of CloudEvents 1.0, Kafka binding, binary mode (D11); the rest is the route's."""
    if not created_at:
        return _OWN_WITHOUT_TIME, (hexlify(mark), text(uid))
    return _OWN, (hexlify(mark), text(uid), text(created_at))


def _whole(result: Undecodable) -> bytes:
    """The member that holds what was sent: as JSON where it is some, else as base64 of its bytes."""
    if result.raw_is_json:
        return b'"result":%b' % result.raw
    return b'"result_base64":"%b"' % b64encode(result.raw)


def spliced(result: Result) -> Bytes:
    """The result's own object without its opening brace, byte for byte but for keys that are the record's own."""
    if not result.has_reserved_keys:
        return result.rest
    whole = result.raw.decode("utf-8", "surrogateescape")
    kept = ",".join(member for key, member in members_of(whole) if key not in RESERVED_KEYS)
    return kept.encode("utf-8", "surrogateescape") + b"}"


def members_of(whole: str) -> Iterator[tuple[str, str]]:
    """The members of a JSON object as (key, text of the whole member), left as they are written."""
    decoder = json.JSONDecoder(strict=False)
    at = _after_blanks(whole, 1)
    while whole[at] != "}":
        key, colon = decoder.raw_decode(whole, at)
        value = _after_blanks(whole, _after_blanks(whole, colon) + 1)
        _, end = decoder.raw_decode(whole, value)
        yield str(key), whole[at:end]
        at = _after_blanks(whole, end)
        at = _after_blanks(whole, at + 1) if whole[at] == "," else at


def _after_blanks(whole: str, at: int) -> int:
    while whole[at] in " \t\r\n":
        at += 1
    return at


def is_surely_small(key: bytes | None, value_bytes: int, bytes_max: int) -> bool:
    """Whether a result's record is within the bound, told without adding up its headers.

    Whatever of them is not of a fixed length (uid, upload time, trigger, route) stands in the value too.
    """
    return 2 * value_bytes + len(key or b"") + FIXED_BYTES_MAX <= bytes_max


def record_bytes(delivery: Delivery) -> int:
    """What it takes on the wire at most, before compression."""
    value_bytes, headers = len(delivery.front) + len(delivery.rest), delivery.headers
    size = RECORD_OVERHEAD_BYTES + len(delivery.key or b"") + value_bytes + HEADER_OVERHEAD_BYTES * len(headers)
    for name, content in headers:
        size += len(name) + len(content)
    return size


def _number(value: float) -> bytes:
    return repr(value).encode() if value == value and abs(value) != float("inf") else b"null"


def _identifiers(result: Result | Undecodable) -> Mapping[str, str | None]:
    if isinstance(result, Undecodable):
        return {"uid": result.uid, "created_at": result.created_at}
    comment = result.comment
    return {"uid": comment.uid, "created_at": comment.created_at, "thread_id": comment.thread_id}
