"""Errors of the admin API as problem details (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from typing_extensions import override

from bridge.domain.errors import BridgeError
from bridge.engine.desk import (
    ConflictError,
    OtherResetError,
    UnfitResetError,
    UnknownResetError,
    UnknownTriggerError,
    WouldSkipError,
)

MEDIA_TYPE = "application/problem+json"

_SHAPE = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "`urn:bridge:` and a stable code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "a sentence for people"},
    },
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": _SHAPE}}}
    for status in (401, 403, 404, 409, 422, 429, 503)
}
"""For the OpenAPI document: any route may answer with these."""


class CodedError(HTTPException):
    """One with a code of its own, where the status says too little to branch on."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)
        self.code = code


class AsciiJSON(JSONResponse):
    """What quotes the platform or a caller may hold a lone surrogate, which no UTF-8 can: it stays an escape."""

    @override
    def render(self, content: object) -> bytes:
        return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> JSONResponse:
    """A problem document; `type` is a stable URN of the code, for a program to branch on."""
    body = {
        "type": f"urn:bridge:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    return AsciiJSON(jsonable_encoder(body), status, dict(headers or {}), media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of the API leaves as a problem."""
    _install_of_resets(app)

    @app.exception_handler(UnknownTriggerError)
    async def unknown(_: Request, error: UnknownTriggerError) -> JSONResponse:
        return problem(404, "unknown_trigger", f"no trigger named {error.args[0]!r} is configured")

    @app.exception_handler(ConflictError)
    async def conflict(_: Request, error: ConflictError) -> JSONResponse:
        return problem(409, "conflict", str(error))

    @app.exception_handler(WouldSkipError)
    async def would_skip(_: Request, error: WouldSkipError) -> JSONResponse:
        return problem(422, "would_skip", f"{error}; repeat with allow_skip: true to leave them out for good")

    @app.exception_handler(BridgeError)
    async def neighbour(_: Request, error: BridgeError) -> JSONResponse:
        return problem(503, error.code, str(error), {"Retry-After": str(int(error.retry_after_s or 5))})

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        mistakes = [{"at": list(one["loc"]), "message": one["msg"]} for one in error.errors()]
        return problem(422, "invalid_request", "; ".join(one["msg"] for one in error.errors()), errors=mistakes)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        code = error.code if isinstance(error, CodedError) else phrase
        return problem(error.status_code, code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def defect(_: Request, __: Exception) -> JSONResponse:
        # The server logs the exception; what it says of our insides is not for the caller (I10).
        return problem(500, "internal", "a defect of the bridge, see its log")


def _install_of_resets(app: FastAPI) -> None:
    @app.exception_handler(UnknownResetError)
    async def unknown_reset(_: Request, error: UnknownResetError) -> JSONResponse:
        return problem(404, "unknown_reset", "trigger {!r} has no reset {!r}".format(*error.args))

    @app.exception_handler(UnfitResetError)
    async def unfit(_: Request, error: UnfitResetError) -> JSONResponse:
        return problem(422, "unfit_reset", str(error))

    @app.exception_handler(OtherResetError)
    async def other(_: Request, error: OtherResetError) -> JSONResponse:
        return problem(422, "idempotency_key_reused", str(error))
