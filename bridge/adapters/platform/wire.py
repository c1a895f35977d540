"""The platform's answers to fetch, decoded as far as routing needs and no further (D6).

A page is decoded to the raw bytes of its results, and each of these to a small struct. What is unusual but readable
takes the slow road of `lenient`; a result nobody can use becomes Undecodable; only a page that is no page is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from bridge.adapters.platform.lenient import NOT_JSON, read_leniently
from bridge.adapters.platform.results import WireComment, WireEntity, WirePrediction, WireResult
from bridge.adapters.platform.split import NotBalanced, split_elements, split_members
from bridge.domain.errors import Retry
from bridge.domain.model import Batch, Bytes, Result, SequenceId, Undecodable
from bridge.domain.unread import Read, Unread

READ_AT_ONCE_MAX = 128
"""A page of more results is read result by result while it is decided: by then they would have left the processor's
caches."""
_MESSAGE_CHARS_MAX = 500
_OWN_KEYS = (b'"results"', b'"sequence_id"')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_HARMLESS = rb"\\ufffd"
_GAP = re.compile(rb"[\s,]*")


class _Shape(msgspec.Struct, gc=False):
    """A result as nearly all of them are. The last three are only noticed, never read."""

    sequence_id: SequenceId
    comment: WireComment
    labels: tuple[WirePrediction, ...] = ()
    entities: tuple[WireEntity, ...] = ()
    trigger: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    generation: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    route: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Page(msgspec.Struct):
    results: list[msgspec.Raw] | None = None
    sequence_id: Any = None
    filtered: Any = None
    is_end_sequence: Any = None
    status: Any = "ok"
    message: Any = None


_read_shape = msgspec.json.Decoder(_Shape).decode
_read_page = msgspec.json.Decoder(_Page).decode


def decode_page(body: bytes, size_asked: int) -> Batch:
    """The batch in an answer to fetch. Raises Retry with code `bad_page`: nothing was taken, the position stays.

    So may going through the results of a large one.
    """
    page, raws = _take_apart(body.removeprefix(b"\xef\xbb\xbf"))
    if page.status != "ok":
        raise _bad_page(f"the platform answered with success but its body says otherwise: {_quoted(page.message)}")
    if not isinstance(page.sequence_id, str) or not page.sequence_id:
        raise _bad_page("the page has no sequence_id")
    is_in_place = bool(raws) and isinstance(raws[0], msgspec.Raw) and body.isascii()
    results = Unread(raws, _read_in_place if is_in_place else _read_of_page)
    return Batch(
        results=results if len(raws) > READ_AT_ONCE_MAX else Read(results),
        sequence_id=SequenceId(page.sequence_id),
        filtered=_count(page.filtered),
        is_end=page.is_end_sequence if isinstance(page.is_end_sequence, bool) else None,
        size_asked=size_asked,
    )


def decode_result(raw: bytes) -> Result | Undecodable:
    """One result, with `raw` as its bytes without the blanks around it; never raises.

    Reasons of an Undecodable: `not_an_object`, `no_comment`, `no_uid`, `no_sequence_id`, `bad_labels`, `bad_entities`,
    `bad_user_properties`, `not_utf8`, `not_strict_json` (NaN, bare control characters), `nested_too_deep`, `not_json`.
    """
    raw = raw.strip(b" \t\r\n")
    # The decoder skips the text of fields it does not need without looking.
    result = _usual(raw) if raw.isascii() or _is_utf8(raw) else None
    return result or read_leniently(raw)


def _usual(raw: Bytes) -> WireResult | None:
    """None for what is not as nearly all results are."""
    try:
        shape = _read_shape(raw)
    except (ValueError, RecursionError):
        return None
    sequence_id, comment = shape.sequence_id, shape.comment
    if not sequence_id or not comment.uid:
        return None
    has_reserved_keys = not (shape.trigger is shape.generation is shape.route is msgspec.UNSET)
    # By position: by keyword it takes 0.1 microseconds more.
    return WireResult(raw, sequence_id, comment, shape.labels, shape.entities, has_reserved_keys)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except ValueError:
        return False
    return True


def _read_in_place(raw: bytes) -> Result | Undecodable:
    """As `_read_of_page`, of a page that is all ASCII and of what its decoder cut out, so that nothing is around it.

    It is not copied: the copies of a page's results are as much as the processor's caches hold.
    """
    return _usual(memoryview(raw)) or _read_of_page(raw)


def _read_of_page(raw: bytes) -> Result | Undecodable:
    """As `decode_result`. Raises Retry for what is no JSON: a garbled page can be taken apart by its brackets, too."""
    result = decode_result(bytes(raw))
    if isinstance(result, Undecodable) and result.reason == NOT_JSON:
        raise _bad_page("a result in the page is broken off or garbled")
    return result


def _take_apart(body: bytes) -> tuple[_Page, Sequence[bytes]]:
    """The page's own keys and its results' bytes, by the quickest road that can take them apart."""
    for readable in (body, None):
        try:
            return _by_decoder(body, readable or _SURROGATE.sub(_HARMLESS, body))
        except (ValueError, RecursionError):
            continue  # refused by the strict decoder: a slower road decides
    try:
        return _by_brackets(body)
    except NotBalanced as error:
        raise _bad_page(f"the answer is not a page: {error}") from error


def _by_decoder(body: bytes, readable: bytes) -> tuple[_Page, Sequence[bytes]]:
    """`readable` is the body, or has as many bytes; the results are cut out of the body at the same places."""
    raws = _read_page(readable).results or []
    first = readable.index(bytes(raws[0])) if raws else 0
    end = readable.rindex(last := bytes(raws[-1])) + len(last) if raws else 0
    own = body[:first] + body[end:]
    page = _read_page(own)
    if page.results != [] or any(own.count(key) != 1 for key in _OWN_KEYS):
        raise NotBalanced("the decoder's last-one-wins may have hidden results behind a repeated key")
    return page, raws if readable is body else _at_same_places(body, first, raws)


def _at_same_places(body: bytes, first: int, raws: Sequence[bytes]) -> Sequence[bytes]:
    """The bytes of the body where a copy of the same length has these elements, one after the other."""
    own: list[bytes] = []
    start = first
    for raw in raws:
        own.append(body[start : start + len(raw)])
        gap = _GAP.match(body, start + len(raw))
        start = gap.end() if gap else start
    return own


def _by_brackets(body: bytes) -> tuple[_Page, Sequence[bytes]]:
    members = split_members(body)
    own = dict(members)
    if len(own) != len(members):
        raise NotBalanced("a key stands twice")
    results = split_elements(own.pop("results", b"[]"))
    page = _Page(**{key: _value(own[key]) for key in own.keys() & set(_Page.__struct_fields__)})
    if page.status == "ok" and "results" not in dict(members):
        raise NotBalanced("no results")
    return page, results


def _value(part: bytes) -> Any:
    try:
        return msgspec.json.decode(part)
    except (ValueError, RecursionError):
        return None


def _count(value: Any) -> int:
    """`filtered` may be missing, null or text; then it is what can be read of it."""
    try:
        return max(0, int(value))
    except (TypeError, ValueError, OverflowError):
        return 0


def _quoted(message: Any) -> str:
    return message[:_MESSAGE_CHARS_MAX] if isinstance(message, str) else "(no message)"


def _bad_page(message: str) -> Retry:
    return Retry(message, code="bad_page")
