"""Where a run can be struck, and by what: every await of the engine on a neighbour has a number in its run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from bridge.domain.errors import Retry


class Fault(Enum):
    """What becomes of the service at a point."""

    STOP = "stop"
    """SIGKILL: nothing of the process happens after it; the next one starts with nothing but what is outside."""
    ERROR = "error"
    """An error: before an effect the request was lost, behind it the answer."""
    REPEAT = "repeat"
    """A fetch that gives the page before once more."""
    LATE_1 = "late1"
    LATE_4 = "late4"
    LATE_9 = "late9"
    """A request that timed out and takes effect all the same, so many points later."""
    FREEZE_1 = "freeze1"
    FREEZE_2 = "freeze2"
    FREEZE_3 = "freeze3"
    FREEZE_5 = "freeze5"
    FREEZE_8 = "freeze8"
    FREEZE_20 = "freeze20"
    """SIGSTOP: another process takes over, and so many points later the frozen one goes on as if nothing had been."""

    @property
    def points(self) -> int:
        """How much later, for those that say so."""
        return int("".join(each for each in self.value if each.isdigit()) or 0)

    @property
    def is_late(self) -> bool:
        return self.value.startswith("late")

    @property
    def is_freeze(self) -> bool:
        return self.value.startswith("freeze")


Schedule: TypeAlias = Mapping[int, Fault]
"""Faults by the number of the point they strike."""


def spelled(schedule: Schedule) -> str:
    """As `--only` takes it."""
    return ",".join(f"{point}={fault.value}" for point, fault in sorted(schedule.items())) or "none"


def read(text: str) -> Schedule:
    """The other way."""
    pairs = [each.split("=") for each in text.split(",") if "=" in each]
    return {int(point): Fault(fault) for point, fault in pairs}


@dataclass(slots=True)
class Points:
    """Counts the points of a run over all its processes, and says what happens at each."""

    schedule: Schedule
    passed: int = 0
    trace: list[str] = field(default_factory=list)
    _late: list[tuple[int, str, Callable[[], Awaitable[None]]]] = field(default_factory=list)
    _thaws: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    async def at(self, process: Process, step: str) -> Fault | None:
        """Pass a point. Does not return where the process ends; returns the faults that the caller has to act on."""
        await asyncio.sleep(0)
        await process.stays_if_dead()
        number = self.passed
        self.passed += 1
        self.trace.append(step)
        await self._due()
        fault = self.schedule.get(number)
        if fault is Fault.STOP:
            process.died.set()
            await process.stays_if_dead()
        if fault is Fault.ERROR:
            raise Retry("struck", code="struck")
        if fault is not None and fault.is_freeze:
            await self._freeze(process, fault)
        return fault

    def later(self, fault: Fault, what: str, effect: Callable[[], Awaitable[None]]) -> None:
        """Let an effect come when so many points more have passed."""
        self._late.append((self.passed + fault.points, what, effect))

    def forget_late_but(self, what: str) -> None:
        """Nothing else that is under way will arrive."""
        self._late = [each for each in self._late if each[1] == what]

    async def land(self) -> bool:
        """Let everything late come now, and everything frozen go on; whether there was anything."""
        is_any = bool(self._late or self._thaws)
        for _, thaw in self._thaws:
            thaw.set()
        self._thaws.clear()
        late, self._late = self._late, []
        for _, _, effect in late:
            await effect()
        return is_any

    async def _due(self) -> None:
        due = [effect for at, _, effect in self._late if at <= self.passed]
        self._late = [each for each in self._late if each[0] > self.passed]
        for effect in due:
            await effect()
        for at, thaw in self._thaws:
            if at <= self.passed:
                thaw.set()
        self._thaws = [each for each in self._thaws if not each[1].is_set()]

    async def _freeze(self, process: Process, fault: Fault) -> None:
        thaw = asyncio.Event()
        self._thaws.append((self.passed + fault.points, thaw))
        process.froze.set()
        await thaw.wait()


@dataclass(slots=True)
class Process:
    """One life of the service."""

    died: asyncio.Event = field(default_factory=asyncio.Event)
    froze: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_out(self) -> bool:
        """Somebody has to start another."""
        return self.died.is_set() or self.froze.is_set()

    async def stays_if_dead(self) -> None:
        """A dead process's tasks never come back; the harness clears them away."""
        if self.died.is_set():
            await asyncio.get_running_loop().create_future()
