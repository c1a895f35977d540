"""A slow network: what a client wrote can arrive long after the client has given up and gone."""

from __future__ import annotations

import asyncio
from typing import Self

CHUNK_BYTES = 65_536


class Link:
    """One client's connection. While held, what the client writes is kept; its going away is not told either."""

    def __init__(self, to_client: asyncio.StreamWriter, to_broker: asyncio.StreamWriter, *, held: bool) -> None:
        self.to_client = to_client
        self.to_broker = to_broker
        self.held = held
        self.kept = bytearray()
        self.answered = asyncio.Event()

    async def up(self, from_client: asyncio.StreamReader) -> None:
        try:
            while data := await from_client.read(CHUNK_BYTES):
                self.kept += data
                if not self.held:
                    await self.flush()
        except ConnectionError:
            # A reset: the client is gone, and what it wrote before is still on its way.
            return

    async def flush(self) -> None:
        data, self.kept = bytes(self.kept), bytearray()
        self.to_broker.write(data)
        await self.to_broker.drain()

    async def down(self, from_broker: asyncio.StreamReader) -> None:
        while data := await from_broker.read(CHUNK_BYTES):
            self.answered.set()
            if not self.to_client.is_closing():
                self.to_client.write(data)


class Proxy:
    """Passes everything on, until `hold`."""

    def __init__(self, port: int, broker_port: int) -> None:
        self.port = port
        self.broker_port = broker_port
        self._server: asyncio.Server | None = None
        self._links: list[Link] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._holds = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for link in self._links:
            link.to_client.close()
            link.to_broker.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self) -> None:
        """From now on nothing of any client arrives."""
        self._holds = True
        for link in self._links:
            link.held = True

    def pass_new(self) -> None:
        """New connections are as quick as ever; the held ones stay held."""
        self._holds = False

    async def release(self) -> int:
        """Everything held arrives now, and the broker answers it. Returns how many bytes that were."""
        late = [link for link in self._links if link.held and link.kept]
        size = sum(len(link.kept) for link in late)
        for link in late:
            link.answered.clear()
            link.held = False
            await link.flush()
        for link in late:
            await link.answered.wait()
        return size

    async def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self.broker_port)
        link = Link(to_client, to_broker, held=self._holds)
        self._links.append(link)
        for way in (link.up(from_client), link.down(from_broker)):
            task = asyncio.create_task(way)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
