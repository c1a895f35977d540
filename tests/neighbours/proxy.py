"""A TCP link that can be made bad: between a client and a neighbour on loopback, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from tests.neighbours.process import free_port

T = TypeVar("T")
CHUNK_BYTES = 16_384
CALL_TIMEOUT_S = 10.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """How the link is now. `is_mute`: what the neighbour answers is dropped, what it is asked arrives."""

    delay_s: float = 0.0
    bytes_per_s: float = float("inf")
    is_stalled: bool = False
    is_mute: bool = False
    is_shut: bool = False
    """New connections are taken and cut at once."""


CLEAR = Weather()


class _Link:
    """One client's connection, passed on both ways."""

    def __init__(self, client: asyncio.StreamWriter, neighbour: asyncio.StreamWriter) -> None:
        self.client = client
        self.neighbour = neighbour

    def cut(self) -> None:
        """Both sides get a reset."""
        for side in (self.client, self.neighbour):
            connection: socket.socket | None = side.get_extra_info("socket")
            if connection is not None and connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            side.transport.abort()

    def half_close(self, *, towards_client: bool) -> None:
        """One side is told that no more will come; the other way goes on."""
        side = self.client if towards_client else self.neighbour
        if side.can_write_eof() and not side.is_closing():
            side.write_eof()


class Proxy:
    """Listens on `port` and passes on to `target_port`. Its methods may be called from any thread."""

    def __init__(self, target_port: int, port: int) -> None:
        self.port = port
        self.target_port = target_port
        self._weather = CLEAR
        self._changed = asyncio.Event()
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{port}", daemon=True)
        self._server: asyncio.Server | None = None

    @classmethod
    def start(cls, target_port: int, port: int | None = None) -> Self:
        """A link that works."""
        proxy = cls(target_port, port or free_port())
        proxy._thread.start()
        proxy._call(proxy._listen())
        return proxy

    def stop(self) -> None:
        """Cut everything and end."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()

    def become(self, weather: Weather) -> None:
        """From now on; `CLEAR` heals, and what was held back goes on its way."""

        def change() -> None:
            self._weather = weather
            self._changed.set()
            self._changed = asyncio.Event()

        self._do(change)

    def cut(self) -> None:
        """Every connection there is."""

        def cut() -> None:
            for link in list(self._links):
                link.cut()

        self._do(cut)

    def half_close(self, *, towards_client: bool) -> None:
        """Every connection there is."""

        def close() -> None:
            for link in list(self._links):
                link.half_close(towards_client=towards_client)

        self._do(close)

    @property
    def links(self) -> int:
        """How many connections there are."""
        return len(self._links)

    def _do(self, what: Callable[[], None]) -> None:
        async def done() -> None:
            what()

        self._call(done())

    def _call(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(CALL_TIMEOUT_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            link.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, client)
        except asyncio.CancelledError:
            return  # by `stop`; the server would complain of a task that ends so
        finally:
            self._tasks.discard(task)
            client.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._weather.is_shut:
            return
        try:
            answers, neighbour = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            return  # the neighbour is out: the client sees its connection end
        link = _Link(client, neighbour)
        self._links.add(link)
        try:
            await asyncio.gather(self._pass(reader, neighbour), self._pass(answers, client, is_answer=True))
        finally:
            self._links.discard(link)
            neighbour.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool = False
    ) -> None:
        """Until this way is closed, which is told to the other side."""
        try:
            while data := await reader.read(CHUNK_BYTES):
                await self._weathered(len(data))
                if not (is_answer and self._weather.is_mute) and not writer.is_closing():
                    writer.write(data)
                    await writer.drain()
            if writer.can_write_eof() and not writer.is_closing():
                writer.write_eof()
        except OSError:
            writer.transport.abort()

    async def _weathered(self, size: int) -> None:
        """Wait as the weather has it; a change of it is felt at once."""
        while self._weather.is_stalled:
            await self._changed.wait()
        wait_s = self._weather.delay_s + size / self._weather.bytes_per_s
        if wait_s > 0:
            try:
                await asyncio.wait_for(self._changed.wait(), wait_s)
            except TimeoutError:
                return
