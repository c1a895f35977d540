"""The key of a record: what decides its partition, and so what keeps its order (I9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from bridge.domain.model import Comment
from bridge.domain.plan import KeyFrom, KeyKind

RecordKey: TypeAlias = Callable[[Comment], bytes | None]


def keyed_by(key: KeyFrom) -> RecordKey:
    """The configured key in UTF-8; the comment's uid where the named one is missing, null or empty; None for none.

    A lone surrogate, which JSON can hold and UTF-8 cannot, becomes its three bytes (`surrogatepass`): two keys that
    differ stay different, and one comment has one key in every process and release.
    """
    match key.kind:
        case KeyKind.NONE:
            return lambda _: None
        case KeyKind.COMMENT_UID:
            return lambda comment: _encoded(comment.uid)
        case KeyKind.THREAD_ID:
            return lambda comment: _encoded(comment.thread_id or comment.uid)
        case KeyKind.USER_PROPERTY:
            name = key.user_property
            return lambda comment: _encoded(_spelled(comment.user_properties.get(name)) or comment.uid)
        case _:
            assert_never(key.kind)


def _encoded(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _spelled(value: str | float | int | bool | None) -> str:
    """Numbers that are equal are one key: 12000.0, as the platform returns what was sent as 12000, is `12000`."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)
