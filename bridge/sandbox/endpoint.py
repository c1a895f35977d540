"""What surrounds every handler: token, fault, body, error envelope, event log. One ASGI app per route."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.errors import ApiError
from bridge.sandbox.faults import Fault, FaultKind
from bridge.sandbox.schema import Shape
from bridge.sandbox.settings import BODY_MAX_BYTES
from bridge.sandbox.wire import decode, error_response, ok_raw

TRANSPORT_KEY = "sandbox.transport"
"""Where the server puts the connection's transport into the scope, so that a fault can cut it."""
GARBAGE = b'<html><body>502 Bad Gateway</body></html>{"status": "o'


class ConnectionDroppedError(ConnectionError):
    """A fault ended the exchange where there is no connection to close, as in tests without a socket."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One request on its way through a handler. `word` is `trigger` or `stream`, as the route used says."""

    box: Sandbox
    request: Request
    body: bytes
    word: str
    event: dict[str, Any] = field(default_factory=dict)

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def json(self, shape: Shape, read: Callable[[bytes], Any] = decode) -> Any:
        """The body; raises ApiError 400 where it does not fit."""
        value = read(self.body)
        shape.validate(value)
        return value

    def note(self, **facts: Any) -> None:
        """What the event log says of this call; the time is now, when it took effect."""
        self.event = {"at_ms": self.box.settings.clock_ms(), **facts}


Handler = Callable[[Call], Awaitable[Response]]


class Endpoint:
    """One route. `logged` calls appear in the event log; `admin` ones use the admin token and are never spoiled."""

    def __init__(
        self,
        box: Sandbox,
        operation: str,
        permissions: frozenset[Permission],
        handler: Handler,
        *,
        word: str = "trigger",
        logged: bool = False,
        admin: bool = False,
    ) -> None:
        self.box = box
        self.operation = operation
        self.permissions = permissions
        self.handler = handler
        self.word = word
        self.logged = logged
        self.admin = admin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, receive, send)
        try:
            body = await _read_body(request)
        except ApiError as error:
            await error_response(error)(scope, receive, send)
            return
        call = Call(box=self.box, request=request, body=body, word=self.word)
        fault = None if self.admin else self.box.faults.take(self.operation, request.path_params.get("trigger"))
        response = await self._answer(call, fault)
        self._log(call, fault, response)
        if fault and fault.kind is FaultKind.DELAY and fault.after:
            await asyncio.sleep(fault.delay_ms / 1000)
        response.headers["server-timing"] = f"total;dur={(time.perf_counter() - started) * 1000:.1f}"
        if fault and fault.kind is FaultKind.DROP:
            await _drop(scope, receive)
        elif fault and fault.kind is FaultKind.CUT_BODY:
            await _cut(response, scope, receive, send)
        else:
            await response(scope, receive, send)

    async def _answer(self, call: Call, fault: Fault | None) -> Response:
        """The true answer, or what the fault puts in its place."""
        if fault and fault.kind is FaultKind.DELAY and not fault.after:
            await asyncio.sleep(fault.delay_ms / 1000)
        replaces = fault is not None and fault.kind not in (FaultKind.DELAY, FaultKind.CUT_BODY)
        if fault is None or not replaces:
            return await self._handle(call)
        if fault.after:
            await self._handle(call)
        return _spoiled(call, fault)

    async def _handle(self, call: Call) -> Response:
        try:
            self._authorize(call.request.headers.get("authorization"))
            return await self.handler(call)
        except ApiError as error:
            return error_response(error)

    def _authorize(self, authorization: str | None) -> None:
        if not self.admin:
            self.box.tokens.check(authorization, self.permissions)
        elif self.box.settings.admin_token and authorization != f"Bearer {self.box.settings.admin_token}":
            raise ApiError(401, "401 Unauthorized: the sandbox's admin token is required")

    def _log(self, call: Call, fault: Fault | None, response: Response) -> None:
        """`status` is what the client was sent: null for a dropped connection. `done`: the operation took effect."""
        if not self.logged:
            return
        params = call.request.path_params
        self.box.log.add(
            {
                "op": self.operation,
                "trigger": f"{params['owner']}/{params['dataset']}/{params['trigger']}",
                "status": None if fault and fault.kind is FaultKind.DROP else response.status_code,
                "fault": fault.kind if fault else None,
                "done": bool(call.event),
                "traceparent": call.request.headers.get("traceparent"),
                "at_ms": self.box.settings.clock_ms(),
                **call.event,
            }
        )


async def _read_body(request: Request) -> bytes:
    """Raises ApiError 413 as soon as a body is known to be too large."""
    declared = request.headers.get("content-length", "")
    read = bytearray()
    if not (declared.isdigit() and int(declared) > BODY_MAX_BYTES):
        async for chunk in request.stream():
            read += chunk
            if len(read) > BODY_MAX_BYTES:
                break
        else:
            return bytes(read)
    raise ApiError(413, "413 Content Too Large")


def _spoiled(call: Call, fault: Fault) -> Response:
    if fault.kind is FaultKind.STATUS:
        if fault.body is not None:
            response: Response = HTMLResponse(fault.body, status_code=fault.status)
        else:
            response = error_response(ApiError(fault.status, f"{fault.status} injected fault"))
        if fault.retry_after_s is not None:
            response.headers["retry-after"] = f"{fault.retry_after_s:g}"
        return response
    if fault.kind is FaultKind.REPEAT_PAGE:
        return ok_raw(_last_page(call))
    return ok_raw(GARBAGE if fault.body is None else fault.body.encode())


def _last_page(call: Call) -> bytes:
    """The latest page of the trigger as it was sent, whatever has happened since; garbage if there was none."""
    params = call.request.path_params
    try:
        trigger = call.box.trigger(call.box.holder("datasets", params["owner"], params["dataset"]), params["trigger"])
    except (ApiError, KeyError):
        return GARBAGE
    return call.box.last_pages.get(trigger.key, GARBAGE)


async def _drop(scope: Scope, receive: Receive) -> None:
    """Closes the connection without a byte of answer."""
    transport = scope.get(TRANSPORT_KEY)
    if transport is None:
        raise ConnectionDroppedError("connection dropped by an injected fault")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the head with the full length and half of the body, then closes the connection."""
    body = bytes(response.body)
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    transport = scope.get(TRANSPORT_KEY)
    if transport is None:
        raise ConnectionDroppedError("body cut by an injected fault")
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def route(method: str, path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=[method])
