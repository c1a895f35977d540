"""A server of a few lines that says what it is told, and a carrier that asks it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from bridge.adapters.platform.exchange import SAME_HEADERS
from bridge.adapters.platform.transport import Incoming, LeanCarrier, Outgoing

SILENCE = b"HTTP/1.1 200 OK\r\n"
"""The rest never comes."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
STRAY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

Speech = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Speaker:
    """Answers each request with the next of its answers; an empty one closes the connection. It keeps what it read."""

    def __init__(self, *answers: bytes | Speech) -> None:
        self.answers = list(answers)
        self.heads: list[bytes] = []
        self.connections = 0
        self.gone = asyncio.Semaphore(0)
        """Has one more for each connection whose other end has gone."""
        self.serving: set[asyncio.Task[Any]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head)
                await reader.readexactly(_length(head))
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.release()
        finally:
            writer.close()
            self.serving.remove(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = self.answers.pop(0) if self.answers else b""
        if not isinstance(answer, bytes):
            await answer(reader, writer)
        elif answer:
            writer.write(answer)
            await writer.drain()
        else:
            writer.close()
        if answer == SILENCE:
            await reader.read()


def then_closed(answer: bytes) -> Speech:
    async def speech(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    return speech


def byte_by_byte(answer: bytes) -> Speech:
    async def speech(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in answer:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)  # the client may read it

    return speech


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)


@asynccontextmanager
async def spoken_to(
    speaker: Speaker, *, keepalive_s: float = 30.0, certificate: tuple[str, str] | None = None
) -> AsyncIterator[tuple[LeanCarrier, str]]:
    """The carrier is closed in the end, whereupon each connection to the server has to end."""
    context, trusting = None, ssl.create_default_context()
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        trusting.load_verify_locations(certificate[0])
    server = await asyncio.start_server(speaker, "127.0.0.1", 0, ssl=context)
    url = f"{'http' if context is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    carrier = a_carrier(keepalive_s, trusting)
    try:
        yield carrier, url
    finally:
        await carrier.aclose()
        server.close()
        await server.wait_closed()
        if speaker.serving:
            await asyncio.wait(speaker.serving)


def a_carrier(keepalive_s: float = 30.0, tls: ssl.SSLContext | None = None) -> LeanCarrier:
    return LeanCarrier(tls or ssl.create_default_context(), keepalive_s=keepalive_s)


def outgoing(url: str, method: str = "GET", **more: Any) -> Outgoing:
    return Outgoing(method=method, url=url, **{"headers": SAME_HEADERS, "connect_timeout_s": 5.0, **more})


async def body_of(answer: Incoming) -> bytes:
    """As it is on the wire."""
    parts = []
    try:
        while part := await answer.part():
            parts.append(part)
    finally:
        await answer.aclose()
    return b"".join(parts)


async def read(carrier: LeanCarrier, asked: Outgoing) -> tuple[int, bytes]:
    """The status of the answer, and its body."""
    answer = await carrier.carry(asked)
    return answer.status, await body_of(answer)


async def waiting(carrier: LeanCarrier, speaker: Speaker, url: str) -> asyncio.Task[bytes]:
    """For what the next answer of the server lacks: its head, or more of its body."""
    is_silent = speaker.answers[0] == SILENCE

    async def reads() -> bytes:
        return (await read(carrier, outgoing(url)))[1]

    heads = len(speaker.heads)
    task = asyncio.create_task(reads() if is_silent else body_of(await carrier.carry(outgoing(url))))
    while len(speaker.heads) == heads:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task
