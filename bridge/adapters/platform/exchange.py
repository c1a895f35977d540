"""One request and its answer, within every bound there is: the budget, a deadline over all of it, and bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from bridge import __version__
from bridge.adapters.platform.bearer import Bearer
from bridge.adapters.platform.budget import Budget
from bridge.adapters.platform.encoding import ACCEPT_ENCODING, too_large, unpacked
from bridge.adapters.platform.errors import failed, refused
from bridge.adapters.platform.routes import is_loopback
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.transport import (
    Carrier,
    HttpxCarrier,
    Incoming,
    LeanCarrier,
    Outgoing,
    ProxiedTransport,
    is_proxied,
)
from bridge.domain.errors import Blocked, BridgeError, Fatal, Retry, Throttled
from bridge.ports import Clock

ERROR_BODY_BYTES_MAX = 64 * 1024
KEEPALIVE_S = 30.0
HOLD_WITHOUT_WISH_S = 1.0
"""How long all callers rest after a 429 that names no time; the workers' own back-off does the rest."""

SAME_HEADERS = {
    "user-agent": f"bridge/{__version__}",
    "accept": "application/json",
    "accept-encoding": ACCEPT_ENCODING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request; `timeout_s` spans everything from the queue of the budget to the answer's last byte.

    A body in bytes is JSON already.
    """

    op: str
    method: str
    url: str
    timeout_s: float
    body: Mapping[str, Any] | bytes | None = None
    params: tuple[tuple[str, str | int], ...] = ()


class Exchange:
    """Sends, reads and translates. It never repeats a request, but once after a 401 when the token has changed."""

    def __init__(
        self,
        settings: PlatformSettings,
        clock: Clock,
        budget: Budget,
        trace_headers: Callable[[], Mapping[str, str]],
        on_answer: Callable[[str, str], None],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._budget = budget
        self._trace_headers = trace_headers
        self._on_answer = on_answer
        self._bearer = Bearer(settings)
        self._carrier: Carrier = HttpxCarrier(transport) if transport else _carrier(settings)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._carrier.aclose()

    async def send(self, ask: Ask) -> bytes:
        """The body of a 2xx answer, unpacked. Raises Retry, Throttled or Blocked."""
        token = self._bearer.token()
        try:
            return await self._within_bounds(ask, token)
        except Blocked as refusal:
            fresh = self._bearer.token_after_refusal(token) if refusal.code == "unauthorized" else None
            if fresh is None:
                raise
        return await self._within_bounds(ask, fresh)

    async def _within_bounds(self, ask: Ask, token: str) -> bytes:
        sent = False
        try:
            async with asyncio.timeout(ask.timeout_s), self._budget.request():
                sent = True
                return await self._ask(ask, token)
        except TimeoutError as error:
            if sent:
                raise self._counted(ask, failed(ask.op, error)) from error
            raise Throttled(f"{ask.op}: the request budget left no room in time", code="budget") from error

    async def _ask(self, ask: Ask, token: str) -> bytes:
        try:
            answer = await self._carrier.carry(self._outgoing(ask, token))
            try:
                return await self._body(ask, answer, token)
            finally:
                await answer.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise self._counted(ask, failed(ask.op, error)) from error

    def _outgoing(self, ask: Ask, token: str) -> Outgoing:
        return Outgoing(
            method=ask.method,
            url=ask.url,
            params=ask.params,
            headers={**SAME_HEADERS, **self._trace_headers(), **_headers(ask, token)},
            content=_content(ask),
            connect_timeout_s=self._settings.connect_timeout_s,
        )

    async def _body(self, ask: Ask, answer: Incoming, token: str) -> bytes:
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise await self._refusal(ask, answer, token)
        try:
            body = await _read(answer, self._settings.response_bytes_max)
        except Retry as error:
            self._on_answer(ask.op, error.code)
            raise
        self._on_answer(ask.op, str(answer.status))
        return body

    async def _refusal(self, ask: Ask, answer: Incoming, token: str) -> BridgeError:
        """Tells the budget, too, when the platform asks for a pause."""
        error = refused(ask.op, answer.status, answer.headers, await _read_error(answer), self._clock.now(), token)
        self._on_answer(ask.op, str(answer.status))
        if isinstance(error, Throttled) or error.retry_after_s is not None:
            self._budget.hold(HOLD_WITHOUT_WISH_S if error.retry_after_s is None else error.retry_after_s)
        return error

    def _counted(self, ask: Ask, error: BridgeError) -> BridgeError:
        self._on_answer(ask.op, error.code)
        return error


def _content(ask: Ask) -> bytes | None:
    if ask.body is None or isinstance(ask.body, bytes):
        return ask.body
    return json.dumps(ask.body).encode()


def _headers(ask: Ask, token: str) -> dict[str, str]:
    headers = {"authorization": f"Bearer {token}"}
    return headers if ask.body is None else headers | {"content-type": "application/json"}


async def _read(answer: Incoming, bytes_max: int) -> bytes:
    """The whole body, bounded on the wire and again unpacked."""
    if int(answer.headers.get("content-length", 0)) > bytes_max:
        raise too_large(bytes_max)
    parts: list[bytes] = []
    size = 0
    while part := await answer.part():
        size += len(part)
        if size > bytes_max:
            raise too_large(bytes_max)
        parts.append(part)
    return unpacked(b"".join(parts), answer.headers.get("content-encoding", ""), bytes_max)


async def _read_error(answer: Incoming) -> bytes:
    """An error's body, or nothing where it cannot be had: the status says enough."""
    try:
        return await _read(answer, ERROR_BODY_BYTES_MAX)
    except (httpx.HTTPError, Retry):
        return b""


def _carrier(settings: PlatformSettings) -> Carrier:
    """Proxies and certificate bundles come from the usual environment variables, but never for a loopback host."""
    try:
        host = httpx.URL(settings.base_url).host
    except httpx.InvalidURL as error:
        raise Fatal("platform.base_url is not a URL", code="bad_base_url") from error
    trust_env = not is_loopback(host)
    if trust_env and is_proxied():
        return HttpxCarrier(ProxiedTransport(settings.requests_in_flight_max, KEEPALIVE_S))
    tls = httpx.create_ssl_context(verify=True, trust_env=trust_env)
    return LeanCarrier(tls, KEEPALIVE_S)
