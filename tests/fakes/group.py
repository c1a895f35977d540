"""The group's ports in memory: what every replica sees, a control topic, and a seat that a test moves triggers to."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from bridge.domain.commands import Command
from bridge.domain.counts import Counts
from bridge.domain.errors import BridgeError
from bridge.domain.model import TriggerName
from bridge.domain.standing import Place, Standing
from bridge.domain.status import Report
from bridge.ports import Seat


@dataclass(slots=True)
class Shared:
    """What is outside of all processes."""

    standings: dict[TriggerName, Standing] = field(default_factory=dict)
    writers: list[tuple[TriggerName, str]] = field(default_factory=list)
    reports: dict[TriggerName, Report] = field(default_factory=dict)
    counts: dict[TriggerName, Counts] = field(default_factory=dict)
    log: list[Command] = field(default_factory=list)
    change: asyncio.Event = field(default_factory=asyncio.Event)

    def changed(self) -> None:
        changed, self.change = self.change, asyncio.Event()
        changed.set()


class FakeBulletin:
    """One process's view, and its state store in one."""

    def __init__(self, shared: Shared, writer: str) -> None:
        self._shared = shared
        self._writer = writer
        self._seen = 0
        self.failures: list[BridgeError] = []
        self.posted: list[Sequence[Report]] = []
        self.posted_counts: list[Counts] = []

    async def catch_up(self) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)

    def standing(self, name: TriggerName) -> Standing:
        return self._shared.standings.get(name, Standing())

    def report(self, name: TriggerName) -> Report | None:
        return self._shared.reports.get(name)

    def counts(self, name: TriggerName) -> Counts | None:
        return self._shared.counts.get(name)

    def changed(self) -> asyncio.Event:
        return self._shared.change

    def overwritten(self) -> Collection[TriggerName]:
        news, self._seen = self._shared.writers[self._seen :], len(self._shared.writers)
        return {name for name, writer in news if writer != self._writer}

    async def post(self, reports: Sequence[Report], counts: Sequence[Counts] = ()) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.posted.append(reports)
        self.posted_counts += counts
        self._shared.counts.update({each.name: each for each in counts})
        self._shared.reports.update({report.status.name: report for report in reports})
        self._shared.changed()

    async def load(self) -> dict[TriggerName, Standing]:
        return dict(self._shared.standings)

    async def save(self, name: TriggerName, standing: Standing) -> None:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self._shared.standings[name] = standing
        self._shared.writers.append((name, self._writer))
        self._shared.changed()


class FakeControl:
    """One partition; its records are read by whom the test has read them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def append(self, command: Command) -> int:
        await asyncio.sleep(0)
        self._shared.log.append(command)
        return len(self._shared.log) - 1

    async def history(self, name: TriggerName, last: int) -> Sequence[tuple[Place, Command]]:
        await asyncio.sleep(0)
        places = [(Place(offset=at, at_ms=at), command) for at, command in enumerate(self._shared.log)]
        return [each for each in places if each[1].trigger == name][-last:]


class FakeMembership:
    """The test is the group: `assign` and `revoke`; `left_s` is what `sure_s` says."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.left_s = 10.0
        self.seat: Seat | None = None
        self.failures: list[BridgeError] = []

    def sure_s(self) -> float:
        return self.left_s

    async def sit(self, seat: Seat, stop: asyncio.Event) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.seat = seat
        await stop.wait()
        self.seat = None
        await seat.revoked()

    def assign(self, *names: str) -> None:
        assert self.seat is not None
        self.seat.assigned(lambda name: name in names)

    async def revoke(self) -> None:
        assert self.seat is not None
        await self.seat.revoked()

    async def deliver(self, offset: int) -> bool:
        """The command at this place; true when it was obeyed."""
        assert self.seat is not None
        return await self.seat.commanded(self._shared.log[offset], Place(offset=offset, at_ms=offset))
