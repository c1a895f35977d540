"""HTTP/1.1 by aiohttp under httpx's client: less than half the CPU of httpx's own transport for the same requests.

What httpx promises its callers is kept: the same errors, TLS by the same context, connections that are never reused
after an answer that was not read whole. Nothing is repeated, decoded, redirected or remembered here.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import lru_cache
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
"""Headers that aiohttp would add by itself; httpx has set those that are wanted."""

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


class LeanTransport(httpx.AsyncBaseTransport):
    """Without proxies. Opens its connections in the event loop of the first request."""

    def __init__(self, tls: ssl.SSLContext, connections_max: int, keepalive_s: float) -> None:
        self._tls = tls
        self._connections_max = connections_max
        self._keepalive_s = keepalive_s
        self._opened: aiohttp.ClientSession | None = None

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        session = self._opened = self._opened or self._session()
        timeout = request.extensions.get("timeout", {})
        with _as_httpx():
            answer = await session.request(
                request.method,
                _url(request.url),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=timeout.get("connect"), sock_read=timeout.get("read")),
            )
        return httpx.Response(
            status_code=answer.status, headers=answer.raw_headers, stream=_Body(answer), request=request
        )

    @override
    async def aclose(self) -> None:
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


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for part in self._answer.content.iter_any():
                yield part

    @override
    async def aclose(self) -> None:
        """A connection whose answer was read whole has gone back already; any other one is closed."""
        self._answer.close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise httpx.ConnectError(str(error)) from error.certificate_error
    except Exception as error:
        meaning = next((meaning for kind, meaning in _MEANINGS if isinstance(error, kind)), None)
        if meaning is None:
            raise
        raise meaning(str(error)) from error


@lru_cache(URLS_MAX)
def _url(url: httpx.URL) -> URL:
    """As it is written. Who is in front of the host is no business of HTTP's: the token has its own header."""
    plain = url.copy_with(userinfo=b"") if url.userinfo else url
    return URL(str(plain), encoded=True)
