"""The producer in use: made when needed, given up when in doubt, succeeded by one that shuts it out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bridge.adapters.kafka.failures import TIMEOUT, Failure
from bridge.adapters.kafka.line import Identity, Line, Producer
from bridge.adapters.kafka.parcel import Lanes, Parcel, all_parcels
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.errors import Retry

CLOSE_TIMEOUT_S = 5.0
FENCED = "producer_fenced"


class Lines:
    """At most one line is current. Deadlines are here, outside of aiokafka, which has none that hold (D14).

    A producer that was given up may still have bytes on the wire, which the broker may append at any later time. Its
    successor therefore writes under the same producer id with the next epoch: once a partition has seen that, the old
    batch is refused, so it can never come behind what was sent again (I9). Before that it is a mere repeat (I5).
    """

    def __init__(self, settings: KafkaSettings, on_abandoned: Callable[[str], None]) -> None:
        self._settings = settings
        self._on_abandoned = on_abandoned
        self._current: Line | None = None
        self._starting: asyncio.Task[Line] | None = None
        self._identity: Identity | None = None
        self._retired: set[Line] = set()
        self._reaping: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[Line]:
        """The current line, or a new one, made once for all who wait. Raises what aiokafka raises, and Retry.

        A line that is retired lives until its last user has left.
        """
        line = await self._line()
        line.users += 1
        try:
            yield line
        finally:
            line.users -= 1
            if line in self._retired and not line.users:
                self._drop(line)
                self._end(line, "retired")

    @property
    def current(self) -> Line | None:
        """The line that would be used now; None where one has to be made first."""
        line = self._current
        return line if line is not None and line.producer.is_alive else None

    async def _line(self) -> Line:
        if self._is_closed:
            raise Retry("the publisher is closed", code="closed")
        if self._current is not None and not self._current.producer.is_alive:
            self.abandon(self._current, "producer_died")
        if self._current is not None:
            return self._current
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start(), name="kafka-producer-start")
            self._starting.add_done_callback(_look_at)
        return await asyncio.shield(self._starting)

    async def deliver(self, line: Line, lanes: Lanes, deadline_s: float) -> None:
        """Send until all is answered, the deadline (of the loop's clock) is there, or the line is given up.

        Cancelled, it abandons the line if anything is under way.
        """
        carrying = asyncio.create_task(line.carry(lanes), name="kafka-publish")
        why_open = Failure(code="cancelled")
        try:
            left_s = max(0.0, deadline_s - asyncio.get_running_loop().time())
            ends: set[asyncio.Future[Any]] = {carrying, line.given_up}
            await asyncio.wait(ends, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            why_open = _why_open(line)
        finally:
            carrying.cancel()
            self._judge(line, all_parcels(lanes), why_open)
        await asyncio.wait({carrying})
        if not carrying.cancelled():
            carrying.result()

    def abandon(self, line: Line, reason: str) -> None:
        """Give a line up at once: all on it get unknown, and nothing of it is sent any more."""
        if not line.given_up.done():
            self._drop(line)
            self._end(line, reason)
            self._on_abandoned(reason)

    async def close(self) -> None:
        """End everything, bounded; what is under way gets unknown."""
        self._is_closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        for line in [*self._retired, *([self._current] if self._current else [])]:
            self._drop(line)
            self._end(line, "closed")
        if self._reaping:
            await asyncio.wait(self._reaping, timeout=CLOSE_TIMEOUT_S)

    async def _start(self) -> Line:
        producer = Producer(self._settings, self._identity.successor() if self._identity else None)
        line = Line(producer)
        try:
            async with asyncio.timeout(self._settings.publish_timeout_s):
                await producer.start()
        except BaseException:
            self._end(line, "not_started")
            raise
        self._identity = producer.identity
        self._current = line
        return line

    def _judge(self, line: Line, parcels: list[Parcel], why_open: Failure) -> None:
        """Whether the line may go on after this call."""
        for parcel in parcels:
            parcel.close(why_open)
        loose = next((parcel for parcel in parcels if parcel.is_loose), None)
        if loose is not None:
            self.abandon(line, loose.fate[1].code)
        elif any(parcel.is_enqueued and not parcel.is_acked for parcel in parcels):
            # Its sequence numbers are taken and not written: the broker would refuse all that follows them.
            self._retire(line)
        if line.producer.identity == self._identity and any(parcel.fate[1].code == FENCED for parcel in parcels):
            # The broker does not take the successor for one: begin anew under an identity of its own giving.
            self._identity = None

    def _retire(self, line: Line) -> None:
        """No new calls; those under way may finish, for an answer about one batch says nothing of the others."""
        if not line.given_up.done():
            self._drop(line)
            self._retired.add(line)

    def _drop(self, line: Line) -> None:
        self._retired.discard(line)
        if self._current is line:
            self._current = None

    def _end(self, line: Line, reason: str) -> None:
        line.give_up(reason)
        reaping = asyncio.create_task(line.producer.reap(), name="kafka-producer-reap")
        self._reaping.add(reaping)
        reaping.add_done_callback(self._reaping.discard)


def _why_open(line: Line) -> Failure:
    if line.given_up.done():
        return Failure(code="producer_abandoned")
    return Failure(code=line.client.trouble) if line.client.trouble else TIMEOUT


def _look_at(task: asyncio.Task[Line]) -> None:
    """Whoever waited has the error; when nobody waits any more asyncio would complain."""
    if not task.cancelled():
        task.exception()
