"""A bound on the bytes that are on their way at one time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Budget:
    """Bytes that may be handed to the producer and not answered yet, over all triggers.

    aiokafka puts everything that waits for a broker into one request, and a broker closes the connection on a request
    that is over its limit (100 MiB unless set otherwise); repeated as it is, that would never end.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._taken = 0
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Wait until `size` bytes fit, alone if they never would; give them back at the end."""
        while self._taken and self._taken + size > self._bytes_max:
            self._freed.clear()
            await self._freed.wait()
        self._taken += size
        try:
            yield
        finally:
            self._taken -= size
            self._freed.set()
