"""A server that speaks just enough HTTP to be wrong about it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Misdeed = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request with its body; nothing where the client has gone."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    length = next(
        (int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    return head + await reader.readexactly(length)


class RoughServer:
    """Answers every request of every connection by the misdeed of the moment."""

    def __init__(self, misdeed: Misdeed, greeting: bytes) -> None:
        self._greeting = greeting
        self.misdeed = misdeed
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._served: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(self._greeting)
        self._served[asyncio.get_running_loop().create_task(self._serve(reader, writer))] = writer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while request := await read_request(reader):
                self.requests.append(request)
                await self.misdeed(writer)
                if writer.is_closing():
                    break
        writer.close()

    async def end(self) -> None:
        """Hangs up on everybody."""
        for task, writer in self._served.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*self._served, return_exceptions=True)
        await asyncio.gather(*(writer.wait_closed() for writer in self._served.values()), return_exceptions=True)


@asynccontextmanager
async def rough_server(
    misdeed: Misdeed, ssl_files: tuple[str, str] | None = None, greeting: bytes = b""
) -> AsyncIterator[RoughServer]:
    """On a free loopback port; the greeting is said before anything is asked."""
    context = None
    if ssl_files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*ssl_files)
    rough = RoughServer(misdeed, greeting)
    server = await asyncio.start_server(rough.connected, "127.0.0.1", 0, ssl=context)
    rough.port = server.sockets[0].getsockname()[1]
    try:
        yield rough
    finally:
        server.close()
        await rough.end()


def says(answer: bytes, *, then_close: bool = False) -> Misdeed:
    """These bytes as they are."""

    async def misdeed(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        with suppress(ConnectionError):
            await writer.drain()
        if then_close:
            writer.close()

    return misdeed


def ok(body: bytes, *, more: bytes = b"") -> bytes:
    """A right answer."""
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n%b\r\n%b" % (len(body), more, body)


async def hangs(_writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def drips(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, so that no single read takes long."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def floods(writer: asyncio.StreamWriter) -> None:
    """A body without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()


async def resets(writer: asyncio.StreamWriter) -> None:
    """A TCP reset instead of an answer."""
    writer.transport.abort()
