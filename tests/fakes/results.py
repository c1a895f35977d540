"""Results as the platform writes them, briefly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bridge.adapters.platform.wire import decode_result
from bridge.domain.model import Batch, Result, SequenceId, Undecodable

SOURCE_ID = "18ba5ce699f8da1f"


def raw_result(
    number: int,
    labels: Mapping[str, float] | None = None,
    *,
    text: str = "hello",
    created_at: str = "2020-06-01T13:27:29.450Z",
    thread_id: str | None = None,
    **more: object,
) -> bytes:
    """The JSON of the result with that number; labels by their text form."""
    comment: dict[str, object] = {
        "id": f"{number:x}",
        "uid": f"{SOURCE_ID}.{number:x}",
        "created_at": created_at,
        "messages": [{"body": {"text": text}}],
        "user_properties": {},
    }
    if thread_id is not None:
        comment["thread_id"] = thread_id
    predicted = [{"name": name.split(" > "), "probability": p} for name, p in (labels or {}).items()]
    result = {"comment": comment, "sequence_id": f"seq-{number}", "labels": predicted, "entities": [], **more}
    return json.dumps(result).encode()


def a_batch(
    raws: Sequence[bytes], *, size_asked: int = 512, filtered: int = 0, is_end: bool | None = None, last: str = ""
) -> Batch:
    """A batch of these; its own sequence id is the last result's unless `last` says otherwise."""
    results: list[Result | Undecodable] = [decode_result(raw) for raw in raws]
    own = last or (results[-1].sequence_id if results else "seq-0")
    return Batch(results=results, sequence_id=SequenceId(own), filtered=filtered, is_end=is_end, size_asked=size_asked)
