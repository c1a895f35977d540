"""Carries requests to the platform: by connections of our own, or by httpx where proxies are named or a caller brings
a transport.

Both ways tell callers the same: the errors of httpx, TLS by the same context, connections that are never reused after
an answer that was not read whole. Nothing is repeated, decoded, redirected or remembered here. Why the usual road is
our own: bridge/decisions/2026-11-23-connections-of-our-own.md.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.request import getproxies

import httpx
from aiohappyeyeballs import start_connection
from typing_extensions import override

from bridge.adapters.platform.connection import Connection

URLS_MAX = 4_096

PORTS = {"http": 80, "https": 443}

WITH_CONTENT = ("POST", "PUT", "PATCH")
"""Methods whose request says that it has no content (RFC 9110, 8.6)."""

NO_FIELD = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
"""What stands in no header (RFC 9110, 5.5)."""

HAPPY_EYEBALLS_DELAY_S = 0.25
"""Until the next address of a name is tried beside the first (RFC 8305, 5)."""


def is_proxied() -> bool:
    """Whether the environment names any proxy; which hosts go past it httpx's own transport knows, and only it."""
    return bool(getproxies().keys() & {"http", "https", "all"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One request; whoever sends it bounds the whole of it, and here only how long a connection may take to open."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None
    params: tuple[tuple[str, str | int], ...] = ()
    connect_timeout_s: float | None = None


class Incoming(Protocol):
    """An answer whose head has come; `headers` are found by their names in lower case."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def part(self) -> bytes:
        """The next bytes of the body as they are on the wire, none at its end. Raises what httpx does."""
        ...

    async def aclose(self) -> None:
        """A connection whose answer was read whole has gone back already; any other one is closed."""
        ...


class Carrier(Protocol):
    """A pool of connections."""

    async def carry(self, outgoing: Outgoing) -> Incoming:
        """Raises what httpx does."""
        ...

    async def aclose(self) -> None:
        """Closes the connections."""
        ...


class HttpxCarrier:
    """By a transport of httpx, or by a whole client of it, which knows about proxies."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def carry(self, outgoing: Outgoing) -> Incoming:
        """As the port says."""
        request = httpx.Request(
            outgoing.method,
            outgoing.url,
            params=outgoing.params or None,
            headers=outgoing.headers,
            content=outgoing.content,
            extensions={"timeout": httpx.Timeout(None, connect=outgoing.connect_timeout_s).as_dict()},
        )
        return _OfHttpx(await self._transport.handle_async_request(request))

    async def aclose(self) -> None:
        """As the port says."""
        await self._transport.aclose()


class _OfHttpx:
    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self._parts = answer.aiter_raw()
        self.status = answer.status_code
        self.headers = answer.headers

    async def part(self) -> bytes:
        return await anext(self._parts, b"")

    async def aclose(self) -> None:
        await self._answer.aclose()


class ProxiedTransport(httpx.AsyncBaseTransport):
    """httpx's own, by the proxies that the environment names."""

    def __init__(self, connections_max: int, keepalive_s: float) -> None:
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=connections_max,
                max_keepalive_connections=connections_max,
                keepalive_expiry=keepalive_s,
            ),
        )

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True)

    @override
    async def aclose(self) -> None:
        await self._client.aclose()


class LeanCarrier:
    """By connections of our own, without proxies; there are as many as requests at one time.

    One that is free serves the next request to the same place, the last one first, for `keepalive_s` at most.
    """

    def __init__(self, tls: ssl.SSLContext, keepalive_s: float) -> None:
        self._tls = tls
        self._keepalive_s = keepalive_s
        self._open: set[Connection] = set()
        self._free: dict[Origin, list[tuple[float, Connection]]] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def carry(self, outgoing: Outgoing) -> Incoming:
        """As the port says."""
        target = _target(outgoing.url, outgoing.params)
        request = _written(outgoing, target)
        connection = self._kept(target.origin) or await self._connected(target.origin, outgoing.connect_timeout_s)
        return await connection.ask(request)

    async def aclose(self) -> None:
        """As the port says. What is under way ends in an error; what is still connecting does so within its time."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._free.clear()
        open_now = list(self._open)
        for connection in open_now:
            connection.close()
        if open_now:
            await asyncio.wait([connection.lost for connection in open_now])

    def _kept(self, origin: Origin) -> Connection | None:
        """The one that was used last."""
        free = self._free.get(origin, [])
        kept_since_s = asyncio.get_running_loop().time() - self._keepalive_s
        while free:
            since_s, connection = free.pop()
            if since_s > kept_since_s and connection.is_quiet:
                return connection
            connection.close()
        return None

    async def _connected(self, origin: Origin, timeout_s: float | None) -> Connection:
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._made(origin)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (OSError, ValueError) as error:  # a host that is no name is the latter
            raise httpx.ConnectError(str(error)) from error
        self._open.add(connection)
        connection.lost.add_done_callback(lambda _: self._open.discard(connection))
        if self._is_closed:
            connection.close()
            raise httpx.ConnectError("the client is closed")
        return connection

    async def _made(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        # By itself asyncio does it too, and loses a socket where it is cancelled.
        connected = await start_connection(addresses, happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY_S, interleave=1)
        _, connection = await loop.create_connection(
            lambda: Connection(lambda free: self._keep(origin, free)),
            sock=connected,
            ssl=self._tls if origin.is_tls else None,
            server_hostname=origin.host.rstrip(".") if origin.is_tls else None,
        )
        return connection

    def _keep(self, origin: Origin, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self._free.setdefault(origin, []).append((loop.time(), connection))
        if self._sweeping is None:
            self._sweeping = loop.call_later(self._keepalive_s, self._sweep)

    def _sweep(self) -> None:
        """One timer for all of them: a busy one would set and cancel a timer of its own with each request."""
        loop = asyncio.get_running_loop()
        kept_since_s = loop.time() - self._keepalive_s
        for connections in self._free.values():
            for since_s, connection in connections:
                if since_s <= kept_since_s:
                    connection.close()
        free = {origin: [each for each in free if each[1].is_open] for origin, free in self._free.items()}
        self._free = {origin: connections for origin, connections in free.items() if connections}
        self._sweeping = loop.call_later(self._keepalive_s, self._sweep) if self._free else None


class Origin(NamedTuple):
    """Where a connection leads."""

    is_tls: bool
    host: str
    port: int


class _Target(NamedTuple):
    """A URL as HTTP/1.1 has it: the connection, and what stands in the request line and in `Host`."""

    origin: Origin
    path: str
    host: str


@lru_cache(URLS_MAX)
def _target(url: str, params: tuple[tuple[str, str | int], ...]) -> _Target:
    """As httpx writes it, and with its errors. Who is in front of the host is no business of HTTP's: the token has its
    own header. The same few of each trigger come again and again.
    """
    try:
        written = httpx.URL(url, params=params) if params else httpx.URL(url)
    except UnicodeError as error:
        raise httpx.LocalProtocolError("the URL cannot be written as UTF-8") from error
    if written.scheme not in PORTS or not written.raw_host:
        raise httpx.UnsupportedProtocol("the URL begins with neither http:// nor https:// and a host")
    host = written.raw_host.decode("ascii")
    port = PORTS[written.scheme] if written.port is None else written.port
    origin = Origin(is_tls=written.scheme == "https", host=host, port=port)
    return _Target(origin=origin, path=written.raw_path.decode("ascii"), host=written.netloc.decode("ascii"))


def _written(outgoing: Outgoing, target: _Target) -> bytes:
    """Raises LocalProtocolError for what no header can hold: with a line break in it, it would be two."""
    fields = {"Host": target.host, **outgoing.headers}
    if outgoing.content is not None or outgoing.method in WITH_CONTENT:
        fields["Content-Length"] = str(len(outgoing.content or b""))
    if any(NO_FIELD.search(f"{name}{value}") for name, value in fields.items()):
        raise httpx.LocalProtocolError("a header has a control character in it")
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    try:
        return f"{outgoing.method} {target.path} HTTP/1.1\r\n{head}\r\n".encode() + (outgoing.content or b"")
    except UnicodeEncodeError as error:
        raise httpx.LocalProtocolError("a header cannot be written as UTF-8") from error
