"""The answers of every route but fetch, read tolerantly. Raises Retry with code `bad_answer`."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from bridge.adapters.platform.errors import one_line
from bridge.adapters.platform.lenient import outermost
from bridge.adapters.platform.split import NotBalanced, split_elements, split_members
from bridge.adapters.platform.triggers import StreamPage, StreamResult, Trigger
from bridge.domain.errors import Retry
from bridge.domain.model import SequenceId


def read_answer(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer whose code was a success, and which agrees that it was one."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise bad_answer("the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise bad_answer("the answer is not an object")
    if answer.get("status", "ok") != "ok":
        message = answer.get("message")
        said = f": {one_line(message, '')}" if isinstance(message, str) else ""
        raise bad_answer(f"the platform answered with success but its body says otherwise{said}")
    return answer


def read_trigger(value: object) -> Trigger:
    """One trigger. What is wrong with it is told by the places, not by the values (I10)."""
    try:
        return Trigger.model_validate(value)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, wrong["loc"])) or "the whole" for wrong in error.errors())
        raise bad_answer(f"a trigger in the answer cannot be read: {places}") from error


def read_stream_page(body: bytes) -> StreamPage:
    """An answer of the `results` route; the results are not decoded beyond their identifiers."""
    try:
        members = dict(split_members(body))
        parts = split_elements(members.pop("results", b""))
    except NotBalanced as error:
        raise bad_answer(f"the answer is not a page: {error}") from error
    own = read_answer(b"{%b}" % b",".join(json.dumps(key).encode() + b":" + part for key, part in members.items()))
    if not isinstance(own.get("continuation"), str) or not own["continuation"]:
        raise bad_answer("the page has no continuation")
    more, filtered = own.get("more_results"), own.get("num_filtered")
    return StreamPage(
        raw=body,
        results=[_stream_result(part) for part in parts],
        continuation=SequenceId(own["continuation"]),
        num_filtered=filtered if isinstance(filtered, int) else 0,
        more_results=more if isinstance(more, bool) else None,
    )


def _stream_result(part: bytes) -> StreamResult:
    known = outermost(part)
    uid, continuation = known.get("comment", {}).get("uid"), known.get("continuation")
    return StreamResult(
        raw=part,
        uid=uid if isinstance(uid, str) else "",
        continuation=SequenceId(continuation if isinstance(continuation, str) else ""),
    )


def bad_answer(message: str) -> Retry:
    """A success that tells nothing: as good as no answer."""
    return Retry(message, code="bad_answer")
