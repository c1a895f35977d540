"""The slow road of the decoder: results that are unusual, judged one by one with the stdlib's scanner.

msgspec refuses lone surrogates (`\\ud800` escapes, also in fields it skips), knows no union of a label's two spellings,
and is right to be strict on the hot path. Here the same result is read again; what routing can use is used, and what
no reader of the record could read becomes an Undecodable with a stable reason (I8).
"""

from __future__ import annotations

import json
import math
from hashlib import blake2b
from typing import Any

from bridge.adapters.platform.results import PropertyValue, WireComment, WireEntity, WirePrediction, WireResult
from bridge.adapters.platform.split import NotBalanced, split_members
from bridge.domain.model import SequenceId, Undecodable

RESERVED_KEYS = frozenset({"trigger", "generation", "route"})
"""The record's own keys before the result's; a result that has one of them cannot be spliced in as it is."""

NOT_JSON = "not_json"
NOT_UTF8 = "not_utf8"
NOT_STRICT_JSON = "not_strict_json"
TOO_DEEP = "nested_too_deep"
_UNSAFE = frozenset({NOT_JSON, NOT_UTF8, NOT_STRICT_JSON, TOO_DEEP})
_LABEL_SEPARATOR = " > "
_EXACT_DIGITS_MAX = 300


class _Unusable(Exception):
    """The result cannot be decided; the argument is the reason."""


def read_leniently(raw: bytes) -> WireResult | Undecodable:
    """Read a result with every tolerance there is; `raw` has no blanks around it."""
    try:
        text = raw.decode("utf-8", "surrogateescape")
        value = json.loads(text, strict=False, parse_int=_number)
    except RecursionError:
        return _undecodable(raw, TOO_DEEP, outermost(raw))
    except ValueError:
        return _undecodable(raw, NOT_JSON, {})
    try:
        _require_publishable(raw, text)
        return _shape(raw, value)
    except _Unusable as reason:
        return _undecodable(raw, str(reason), value)


def _require_publishable(raw: bytes, text: str) -> None:
    """Readable here is not enough: the bytes go into a record that strict readers must be able to read."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise _Unusable(NOT_UTF8) from None
    try:
        json.loads(text, parse_constant=_refuse_constant, parse_int=_number)
    except ValueError:
        raise _Unusable(NOT_STRICT_JSON) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _number(digits: str) -> int | float:
    """Integers of absurd length, which int() refuses, become floats as in most readers."""
    return int(digits) if len(digits) <= _EXACT_DIGITS_MAX else float(digits)


def _shape(raw: bytes, value: Any) -> WireResult:
    if not isinstance(value, dict):
        raise _Unusable("not_an_object")
    sequence_id = value.get("sequence_id")
    comment = _comment(value.get("comment"))
    if not isinstance(sequence_id, str) or not sequence_id:
        raise _Unusable("no_sequence_id")
    return WireResult(
        held=raw,
        sequence_id=SequenceId(sequence_id),
        comment=comment,
        labels=tuple(_prediction(item) for item in _items(value, "labels")),
        entities=tuple(_entity(item) for item in _items(value, "entities")),
        has_reserved_keys=not RESERVED_KEYS.isdisjoint(value),
    )


def _comment(value: Any) -> WireComment:
    if not isinstance(value, dict):
        raise _Unusable("no_comment")
    uid = value.get("uid")
    if not isinstance(uid, str) or not uid:
        raise _Unusable("no_uid")
    properties = value.get("user_properties") or {}
    if not isinstance(properties, dict):
        raise _Unusable("bad_user_properties")
    thread_id = value.get("thread_id")
    return WireComment(
        uid=uid,
        thread_id=thread_id if isinstance(thread_id, str) else None,
        created_at=_text(value.get("created_at")),
        user_properties={name: _property(item) for name, item in properties.items()},
    )


def _property(value: Any) -> PropertyValue:
    """A list or an object is there, but no rule can compare it: None."""
    return value if isinstance(value, str | int | float) else None


def _items(value: dict[str, Any], key: str) -> list[Any]:
    items = value.get(key)
    if items is None:
        return []
    if not isinstance(items, list):
        raise _Unusable(f"bad_{key}")
    return items


def _prediction(value: Any) -> WirePrediction:
    if not isinstance(value, dict):
        raise _Unusable("bad_labels")
    probability = _finite(value.get("probability"))
    if probability is None:
        raise _Unusable("bad_labels")
    return WirePrediction(
        name=_label(value.get("name")), probability=probability, sentiment=_finite(value.get("sentiment"))
    )


def _label(name: Any) -> tuple[str, ...]:
    """Levels as a list, or as one text (trap 27)."""
    if isinstance(name, str):
        return tuple(name.split(_LABEL_SEPARATOR))
    if isinstance(name, list) and all(isinstance(level, str) for level in name):
        return tuple(name)
    raise _Unusable("bad_labels")


def _finite(value: Any) -> float | None:
    """A number that JSON can spell, since it is written into the record where a rule matched."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _entity(value: Any) -> WireEntity:
    if not isinstance(value, dict):
        raise _Unusable("bad_entities")
    return WireEntity(kind=_text(value.get("kind")), name=_text(value.get("name")))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _undecodable(raw: bytes, reason: str, value: Any) -> Undecodable:
    """`value` is whatever could be read.

    A result without a sequence id gets one made of its bytes: every refetch of the same bytes makes the same one, so
    its dead letter is marked like any other and is not sent again (D4).
    """
    known: dict[str, Any] = value if isinstance(value, dict) else {}
    comment: dict[str, Any] = known["comment"] if isinstance(known.get("comment"), dict) else {}
    return Undecodable(
        raw=raw,
        reason=reason,
        sequence_id=SequenceId(_text(known.get("sequence_id")) or stand_in_sequence_id(raw)),
        uid=_text(comment.get("uid")),
        created_at=_text(comment.get("created_at")),
        raw_is_json=reason not in _UNSAFE,
    )


def stand_in_sequence_id(raw: bytes) -> str:
    """The dot keeps it apart from the platform's own ids, which are URL-safe base64."""
    return f"bytes.{blake2b(raw, digest_size=16).hexdigest()}"


def outermost(raw: bytes) -> dict[str, Any]:
    """The texts among a result's own members and among its comment's, however deep the rest is nested."""
    try:
        known: dict[str, Any] = {key: _scalar(part) for key, part in split_members(raw)}
        comment = next((part for key, part in split_members(raw) if key == "comment"), b"{}")
        return known | {"comment": {key: _scalar(part) for key, part in split_members(comment)}}
    except NotBalanced:
        return {}


def _scalar(part: bytes) -> Any:
    if not part.startswith(b'"'):
        return None
    try:
        return json.loads(part.decode("utf-8", "surrogateescape"), strict=False)
    except ValueError:
        return None
