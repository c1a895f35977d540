"""The machine's own time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """The Clock port over the real thing; the only place of the service that asks what time it is."""

    def now(self) -> datetime:
        """Wall time, in UTC."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """For durations and deadlines."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Cancellable."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        """Sleep until the event or the time-out; true when it was the event."""
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return event.is_set()
        return True
