"""Pages and results as the platform writes them, and as it should not."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bridge.domain.model import Batch, Result, Undecodable

BATCH_ID = "qs8QcHIBAADJ1p3W2FtmBB3QiOJsCJlR"


def a_result(number: int = 1, *, comment: Mapping[str, object] | None = None, **more: object) -> dict[str, object]:
    """A whole result; keys given as None are left out."""
    own: dict[str, object] = {
        "id": f"{number:x}",
        "uid": f"18ba5ce699f8da1f.{number:x}",
        "created_at": "2020-06-01T13:27:29.450000Z",
        "thread_id": "3c31",
        "messages": [{"body": {"text": "Hi Bob"}}],
        "user_properties": {"string:Country": "uk", "number:Amount": 12000.0},
    }
    result: dict[str, object] = {
        "comment": {key: value for key, value in (own | dict(comment or {})).items() if value is not None},
        "sequence_id": f"seq-{number}",
        "labels": [{"name": ["Trade", "Settlement"], "probability": 0.8}],
        "entities": [{"kind": "date", "formatted_value": "2020-06-01", "span": {}}],
    }
    return {key: value for key, value in (result | more).items() if value is not None}


def raw_result(number: int = 1, **more: object) -> bytes:
    """The same as bytes."""
    return json.dumps(a_result(number, **more)).encode()  # type: ignore[arg-type]


def page_of(*raws: bytes, **more: object) -> bytes:
    """A page with these results; other keys of the page by name, left out where None."""
    own: dict[str, object] = {"status": "ok", "filtered": 0, "sequence_id": BATCH_ID, "is_end_sequence": False}
    spelled = [
        json.dumps(key).encode() + b":" + json.dumps(value).encode()
        for key, value in (own | more).items()
        if value is not None
    ]
    return b"{" + b",".join([*spelled, b'"results":[' + b",".join(raws) + b"]"]) + b"}"


def readable(result: Result | Undecodable) -> Result:
    """A result that must have been read."""
    assert not isinstance(result, Undecodable), result.reason
    return result


def unreadable(result: Result | Undecodable) -> Undecodable:
    """A result that must not have been read."""
    assert isinstance(result, Undecodable)
    return result


def sequence_ids(batch: Batch) -> list[str]:
    return [result.sequence_id for result in batch.results]
