"""The key of a record: what decides its partition, and so what keeps its order (I9)."""

from __future__ import annotations

from typing import assert_never

from bridge.domain.model import Comment, Result
from bridge.domain.plan import KeyFrom, KeyKind


def record_key(key: KeyFrom, result: Result) -> bytes | None:
    """The configured key in UTF-8; the comment's uid where the named one is missing, null or empty; None for none.

    A lone surrogate, which JSON can hold and UTF-8 cannot, becomes its three bytes (`surrogatepass`): two keys that
    differ stay different, and one comment has one key in every process and release.
    """
    if key.kind is KeyKind.NONE:
        return None
    return (_named(key, result.comment) or result.comment.uid).encode("utf-8", "surrogatepass")


def _named(key: KeyFrom, comment: Comment) -> str:
    match key.kind:
        case KeyKind.COMMENT_UID | KeyKind.NONE:
            return comment.uid
        case KeyKind.THREAD_ID:
            return comment.thread_id or ""
        case KeyKind.USER_PROPERTY:
            return _spelled(comment.user_properties.get(key.user_property))
        case _:
            assert_never(key.kind)


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
