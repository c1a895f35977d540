"""One request budget per platform host, shared by all triggers of the process (D8a)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bridge.domain.errors import Throttled
from bridge.ports import Clock

HOLD_WAITED_OUT_S = 2.0
"""A hold that ends within this is waited out in the queue; a longer one is told to the worker at once, which then
shows that it is throttled and can be stopped or paused while it waits."""

_LOOK_AGAIN_S = 60.0
_ROUNDING = 1e-9


@dataclass(slots=True, kw_only=True)
class Allowance:
    """The pure part: a token bucket, a count of what is in flight, and a hold. Times are monotonic seconds."""

    per_s: float
    in_flight_max: int
    _tokens: float = field(init=False)
    _counted_at_s: float = 0.0
    _in_flight: int = 0
    _held_until_s: float = 0.0

    def __post_init__(self) -> None:
        self._tokens = self._burst

    @property
    def _burst(self) -> float:
        """One second's worth may go at once, and at least one request, so that a slow rate is a rate and no ban."""
        return max(1.0, self.per_s)

    def held_s(self, now_s: float) -> float:
        """Seconds until the hold ends."""
        return max(0.0, self._held_until_s - now_s)

    def wait_s(self, now_s: float) -> float | None:
        """Seconds until a request may go: 0 is now; None is when one in flight has ended."""
        self._count(now_s)
        if self._in_flight >= self.in_flight_max:
            return None
        missing = 1.0 - self._tokens
        return max(missing / self.per_s if missing > _ROUNDING else 0.0, self.held_s(now_s))

    def take(self, now_s: float) -> None:
        """A request goes. Only where `wait_s` is 0."""
        self._count(now_s)
        self._tokens -= 1.0
        self._in_flight += 1

    def give_back(self) -> None:
        """A request has ended, however."""
        self._in_flight -= 1

    def hold(self, until_s: float) -> None:
        """Nothing goes before then; a shorter hold does not shorten a longer one."""
        self._held_until_s = max(self._held_until_s, until_s)

    def _count(self, now_s: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now_s - self._counted_at_s) * self.per_s)
        self._counted_at_s = now_s


class Place:
    """Waited for, held and given back, however it ends. A class and no generator: there is one for each request."""

    __slots__ = ("_begin", "_end")

    def __init__(self, begin: Callable[[], Awaitable[None]], end: Callable[[], None]) -> None:
        self._begin = begin
        self._end = end

    async def __aenter__(self) -> None:
        await self._begin()

    async def __aexit__(self, *_: object) -> None:
        self._end()


class Budget:
    """First come, first served; whoever is cancelled while waiting leaves the queue and takes nothing."""

    def __init__(self, *, per_s: float, in_flight_max: int, clock: Clock) -> None:
        self._clock = clock
        self._allowance = Allowance(per_s=per_s, in_flight_max=in_flight_max)
        self._queue = asyncio.Lock()
        self._changed = asyncio.Event()

    def request(self) -> Place:
        """The time of one request. Raises Throttled `held` where the platform asked for a longer pause."""
        return Place(self._begin, self._end)

    async def _begin(self) -> None:
        async with self._queue:
            await self._turn()
            self._allowance.take(self._clock.monotonic_s())

    def _end(self) -> None:
        self._allowance.give_back()
        self._changed.set()

    def hold(self, seconds: float) -> None:
        """The platform asked every caller to wait."""
        self._allowance.hold(self._clock.monotonic_s() + seconds)
        self._changed.set()

    async def _turn(self) -> None:
        while True:
            self._changed.clear()
            now_s = self._clock.monotonic_s()
            held_s = self._allowance.held_s(now_s)
            if held_s > HOLD_WAITED_OUT_S:
                raise Throttled("the platform asked for a pause", code="held", retry_after_s=held_s)
            wait_s = self._allowance.wait_s(now_s)
            if wait_s == 0:
                return
            await self._clock.wait(self._changed, _LOOK_AGAIN_S if wait_s is None else wait_s)
