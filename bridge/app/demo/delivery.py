"""Follows the bridge at work until all has arrived, and afterwards for as long as somebody looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.app.demo.admin import ENDED, TriggerStanding
from bridge.app.demo.failures import DemoFailed
from bridge.app.demo.options import Patience
from bridge.app.demo.running import Running
from bridge.app.demo.screen import LiveTable, Moment
from bridge.app.demo.story import Album
from bridge.app.demo.verdict import Seen, Tally
from bridge.ports import Clock

POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """How it ended. `unfinished` says why not all was delivered, empty where it was."""

    standing: TriggerStanding
    unfinished: str
    seconds: float


class Follower:
    """Reads the topics and asks the bridge, again and again, and shows both."""

    def __init__(self, running: Running, tally: Tally, album: Album, clock: Clock) -> None:
        self._running = running
        self._tally = tally
        self._album = album
        self._clock = clock
        self._began = clock.monotonic_s()

    async def deliver(self, table: LiveTable, deadline_s: float, timeout_s: float) -> Delivered:
        """Until every record is there and the trigger stands behind the last result, or there is no more hope."""
        standing = await self._look(table)
        while (unfinished := self._ending(standing, deadline_s, timeout_s)) is None:
            standing = await self._look(table)
        seconds = self._clock.monotonic_s() - self._began
        self._take(await self._running.reader.drain())
        return Delivered(standing=standing, unfinished=unfinished, seconds=seconds)

    async def stay(self, table: LiveTable, patience: Patience) -> None:
        """Until a signal comes."""
        patience.staying = True
        while not patience.over.is_set():
            await self._look(table)

    async def _look(self, table: LiveTable) -> TriggerStanding:
        running = self._running
        running.family.check()
        self._take(await running.reader.poll(POLL_S))
        try:
            standing = await running.admin.trigger(running.scenario.trigger)
        except DemoFailed as failure:
            await running.family.check_after(failure)
            raise
        table.show(self._moment(standing))
        return standing

    def _take(self, records: Iterable[Seen]) -> None:
        for seen in records:
            self._tally.add(seen)
            self._album.add(seen)

    def _ending(self, standing: TriggerStanding, deadline_s: float, timeout_s: float) -> str | None:
        """None to go on, an empty text when all is done, else why there is no use in waiting."""
        if not self._tally.missing and self._is_done(standing):
            return ""
        if standing.state in ENDED:
            return f"the trigger is {standing.state}: {standing.why}"
        return self._late(standing, timeout_s) if self._clock.monotonic_s() > deadline_s else None

    def _is_done(self, standing: TriggerStanding) -> bool:
        """Advanced, not only published: the position stands behind all of it."""
        return standing.state == "idle" and standing.results >= len(self._running.promised)

    def _late(self, standing: TriggerStanding, timeout_s: float) -> str:
        missing, expected = len(self._tally.missing), len(self._tally.expected)
        why = f" ({standing.why})" if standing.why else ""
        return (
            f"after {timeout_s:g} s {missing} of {expected} records had not arrived, and the trigger had advanced past"
            f" {standing.results} of {len(self._running.promised)} results; it is {standing.state}{why}"
        )

    def _moment(self, standing: TriggerStanding) -> Moment:
        arrived = sum(self._tally.published.values()) + self._tally.dead_letters
        return Moment(
            state=standing.state,
            reason=standing.why if standing.state not in ("running", "idle") else "",
            lag_s=standing.lag_seconds,
            results=standing.results,
            expected_records=len(self._tally.expected),
            arrived_records=arrived,
            rate_per_s=arrived / max(self._clock.monotonic_s() - self._began, POLL_S),
            dead_letters=self._tally.dead_letters,
            by_route=self._tally.by_route,
            shadowed=standing.shadowed,
        )
