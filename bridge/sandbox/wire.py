"""JSON in and out: the envelope, and the one place that tolerates lone surrogates."""

import json
from typing import Any, NoReturn

import msgspec
from starlette.responses import Response

from bridge.sandbox.errors import ApiError, bad_request

JSON_TYPE = "application/json"


def encode(value: object) -> bytes:
    """Compact UTF-8; text that UTF-8 cannot carry (a lone surrogate) goes out as an escape."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _refuse_constant(text: str) -> NoReturn:
    raise bad_request(f"request body is not valid JSON: {text}")


def decode(raw: bytes) -> Any:
    """Raises ApiError 400. A lone surrogate escape is lawful JSON, and mail has them, so it is read."""
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
