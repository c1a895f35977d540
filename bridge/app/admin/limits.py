"""Bounds on what a caller may send: bytes, and seconds to send them in (D20)."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.app.admin.problems import problem

BODY_BYTES_MAX = 8 * 1024 * 1024
"""The largest thing anybody has to send is one result to explain, whose comment may well have some megabytes."""

BODY_TIMEOUT_S = 30.0


class BodyLimit:
    """ASGI middleware: the body is read whole before a route sees the request, or the caller hears why not."""

    def __init__(self, app: ASGIApp, bytes_max: int = BODY_BYTES_MAX, timeout_s: float = BODY_TIMEOUT_S) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                body = await self._body(scope, receive)
        except TimeoutError:
            refusal = problem(408, "body_too_slow", f"the body was not there after {self._timeout_s:.0f} s")
            await refusal(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            if body is None:
                refusal = problem(413, "body_too_large", f"a body may have {self._bytes_max} bytes at most")
                await refusal(scope, receive, send)
            else:
                await self._app(scope, _replayed(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """None where it is too large: announced so, or found so."""
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:20]) > self._bytes_max:
            return None
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._bytes_max:
                return None
            more = message.get("more_body", False)
        return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body in one message, then whatever else the connection says."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
