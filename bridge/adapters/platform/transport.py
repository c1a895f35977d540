"""Carries requests to the platform: by aiohttp, or by httpx where proxies are named or a caller brings a transport.

For the same small request aiohttp takes less than half the CPU of httpx's own transport, and httpx's request and answer
around it took another share of an idle poll. Callers are told the same by both ways: the errors of httpx, TLS by the
same context, connections that are never reused after an answer that was not read whole. Nothing is repeated, decoded,
redirected or remembered here.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Protocol
from urllib.request import getproxies

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override
from yarl import URL

READ_AHEAD_BYTES = 1024 * 1024
"""What a connection may hold that was not asked for yet. With aiohttp's own 64 KiB a page stops and starts the socket
all the time."""

URLS_MAX = 4_096

LEFT_ALONE = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers that aiohttp would add by itself; the request has those that are wanted."""

_MEANINGS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
    (HttpProcessingError, httpx.RemoteProtocolError),
    (ValueError, httpx.LocalProtocolError),
)
"""The first that fits."""


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
    """An answer whose head has come; `headers` are found whatever the case of their names."""

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
    """By aiohttp, without proxies. Opens its connections in the event loop of the first request."""

    def __init__(self, tls: ssl.SSLContext, connections_max: int, keepalive_s: float) -> None:
        self._tls = tls
        self._connections_max = connections_max
        self._keepalive_s = keepalive_s
        self._opened: aiohttp.ClientSession | None = None

    async def carry(self, outgoing: Outgoing) -> Incoming:
        """As the port says."""
        session = self._opened = self._opened or self._session()
        with _AS_HTTPX:
            answer = await session.request(
                outgoing.method,
                _url(outgoing.url, outgoing.params),
                headers=outgoing.headers,
                data=outgoing.content,
                allow_redirects=False,
                timeout=_timeout(outgoing.connect_timeout_s),
            )
        return _OfAiohttp(answer)

    async def aclose(self) -> None:
        """As the port says."""
        if self._opened is not None:
            await self._opened.close()

    def _session(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls, limit=self._connections_max, keepalive_timeout=self._keepalive_s
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=LEFT_ALONE,
            auto_decompress=False,
            read_bufsize=READ_AHEAD_BYTES,
            trust_env=False,
        )
        # It would send a GET, PUT or DELETE again by itself where a kept connection turned out to be closed.
        session._retry_connection = False  # noqa: SLF001  the only way to say so
        return session


class _OfAiohttp:
    __slots__ = ("_answer", "headers", "status")

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers = answer.headers

    async def part(self) -> bytes:
        with _AS_HTTPX:
            return await self._answer.content.readany()

    async def aclose(self) -> None:
        self._answer.close()


class _AsHttpx:
    """A class and no generator, which would cost several times as much a request."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is None:
            return
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            raise httpx.ConnectError(str(error)) from error.certificate_error
        meaning = next((meaning for kind, meaning in _MEANINGS if isinstance(error, kind)), None)
        if meaning is not None:
            raise meaning(str(error)) from error


_AS_HTTPX = _AsHttpx()


@lru_cache
def _timeout(connect_timeout_s: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(sock_connect=connect_timeout_s)


@lru_cache(URLS_MAX)
def _url(url: str, params: tuple[tuple[str, str | int], ...]) -> URL:
    """As httpx writes it, and with its errors. Who is in front of the host is no business of HTTP's: the token has its
    own header. The same few of each trigger come again and again.
    """
    written = httpx.URL(url, params=params) if params else httpx.URL(url)
    return URL(str(written.copy_with(userinfo=b"") if written.userinfo else written), encoded=True)
