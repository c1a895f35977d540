"""A Clock whose time moves only when everybody waits for it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Sized
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SETTLE_ROUNDS_MAX = 100_000


class FakeClock:
    """Virtual time, in the same order at every run.

    As it is, time jumps to the next sleeper as soon as no task of the loop has anything left to do, so that a sleep
    of an hour takes no time at all. With `manual` it stands still until a test calls `advance`.
    Meant for tests without sockets, one clock to an event loop: what waits for a socket has nothing to do either.
    """

    def __init__(self, start: datetime = START, *, manual: bool = False) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._manual = manual
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._watched = False
        self.slept_s: list[float] = []
        """What was asked of `sleep` and `wait`, in order."""

    def now(self) -> datetime:
        """Wall time, in UTC."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic_s(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Cancellable. Without a positive span it only lets others run."""
        self.slept_s.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            await self._after(seconds)

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        """Sleep until the event or the time-out; true when it was the event."""
        self.slept_s.append(timeout_s)
        if event.is_set() or timeout_s <= 0:
            await asyncio.sleep(0)
            return event.is_set()
        either: list[asyncio.Future[Any]] = [asyncio.ensure_future(event.wait()), self._after(timeout_s)]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for future in either:
                future.cancel()
        return event.is_set()

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, waking every sleeper at its time and letting it run before the next one."""
        if not self._manual:
            await self._after(seconds)
            return
        until = self._elapsed_s + seconds
        await settled()
        while (due := self._next_due()) is not None and due <= until:
            self._wake_next()
            await settled()
        self._elapsed_s = until

    def _after(self, seconds: float) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, next(self._order), future))
        if not self._manual and not self._watched:
            self._watched = True
            loop.call_soon(self._jump_when_idle, 0)
        return future

    def _jump_when_idle(self, idle_rounds: int) -> None:
        """One round more than one: what a selector has ready is only seen at the start of the next."""
        loop = asyncio.get_running_loop()
        idle_rounds = 0 if _ready(loop) else idle_rounds + 1
        if idle_rounds > 1:
            self._wake_next()
            idle_rounds = 0
        self._watched = self._next_due() is not None
        if self._watched:
            loop.call_soon(self._jump_when_idle, idle_rounds)

    def _next_due(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _wake_next(self) -> None:
        if self._next_due() is not None:
            due, _, future = heapq.heappop(self._sleepers)
            self._elapsed_s = max(self._elapsed_s, due)
            future.set_result(None)


async def settled() -> None:
    """Returns when no other task of the loop can run without time passing or a socket answering."""
    loop = asyncio.get_running_loop()
    for _ in range(SETTLE_ROUNDS_MAX):
        await asyncio.sleep(0)
        if not _ready(loop):
            return
    raise AssertionError("a task runs without ever waiting for anything")


def _ready(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether callbacks wait for their turn: the loop says it nowhere in public."""
    queue: Sized = getattr(loop, "_ready")  # noqa: B009  no such name in the public type
    return len(queue) > 0
