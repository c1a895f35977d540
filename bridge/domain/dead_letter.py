"""A dead letter, opened again."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass, field

from bridge.domain.model import SequenceId
from bridge.domain.record import IDENTIFIER_CHARS_MAX, members_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterBody:
    """`raw` is the result as the platform sent it, None where the letter has identifiers only."""

    sequence_id: SequenceId
    uid: str
    raw: bytes | None = field(repr=False)

    @property
    def is_identified(self) -> bool:
        """Its identifiers are there and were not cut."""
        return all(0 < len(each) < IDENTIFIER_CHARS_MAX for each in (self.sequence_id, self.uid))


def opened(value: bytes) -> DeadLetterBody | None:
    """None where it is not a dead letter as `RecordWriter` writes them."""
    whole = value.decode("utf-8", "surrogateescape")
    try:
        members = dict(members_of(whole))
        sequence_id = _value(members["sequence_id"])
        comment = _value(members["comment"])
        raw = _raw(members)
    except (ValueError, KeyError, IndexError, RecursionError):
        return None
    if not isinstance(sequence_id, str) or not isinstance(comment, dict):
        return None
    return DeadLetterBody(sequence_id=SequenceId(sequence_id), uid=str(comment.get("uid") or ""), raw=raw)


def _raw(members: dict[str, str]) -> bytes | None:
    if "result" in members:
        return _text(members["result"]).encode("utf-8", "surrogateescape")
    if "result_base64" in members:
        return b64decode(str(_value(members["result_base64"])), validate=True)
    return None


def _text(member: str) -> str:
    """The value of a member as it is written."""
    _, end = json.JSONDecoder(strict=False).raw_decode(member)
    return member[end:].lstrip(" \t\r\n").removeprefix(":").strip(" \t\r\n")


def _value(member: str) -> object:
    found: object = json.loads(_text(member), strict=False)
    return found
