"""JSON in and out: the envelope, and the one place that tolerates lone surrogates."""

import json
from typing import Any, NoReturn

import msgspec
from starlette.responses import Response

from bridge.sandbox.errors import ApiError, bad_request

JSON_TYPE = "application/json"


def encode(value: object) -> bytes:
    """Compact UTF-8; what that cannot carry (lone surrogates, integers over 64 bits) goes out as Python writes it."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def decode(raw: bytes) -> Any:
    """Raises ApiError 400."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"request body is not valid JSON: {error}") from error


def decode_mail(raw: bytes) -> Any:
    """As `decode`, but reads lone surrogate escapes: they are lawful JSON, and real mail has them."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            return json.loads(raw, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise bad_request(f"request body is not valid JSON: {error}") from error


def clean_text(text: str) -> str:
    """The text with each lone surrogate replaced by U+FFFD; code point count unchanged."""
    if text.isascii():
        return text
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


def ok(**payload: object) -> Response:
    return Response(encode({"status": "ok", **payload}), media_type=JSON_TYPE)


def ok_raw(body: bytes) -> Response:
    """A success whose body is already spliced together."""
    return Response(body, media_type=JSON_TYPE)


def error_response(error: ApiError) -> Response:
    body = encode({"status": "error", "message": error.message})
    return Response(body, status_code=error.status, media_type=JSON_TYPE)
