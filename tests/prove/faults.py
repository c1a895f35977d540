"""Where a run can be struck, and by what: every await of the engine on a neighbour has a number in its run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from bridge.domain.errors import Retry
from tests.fakes.clock import FakeClock

DELAY_S = 45.0
TO_PLATFORM = "platform:"
"""What late effects on the platform are named by, from the front."""


class Fault(Enum):
    """What becomes of the service at a point."""

    STOP = "stop"
    """SIGKILL: nothing of the process happens after it; the next one starts with nothing but what is outside."""
    ERROR = "error"
    """An error: before an effect the request was lost, behind it the answer."""
    DELAY = "delay"
    """The answer takes most of a minute, and comes."""
    REPEAT = "repeat"
    """A fetch that gives the page before once more, another request that takes effect twice."""
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
    REFUSE = "refuse"
    """The broker refuses a record."""
    LOSE = "lose"
    """A record is appended and its answer is lost."""
    STRAGGLE_2 = "straggle2"
    STRAGGLE_9 = "straggle9"
    STRAGGLE_25 = "straggle25"
    """SIGKILL with a record on the wire, which a slow broker appends so many points later."""
    FLUSH = "flush"
    """The ledger forgets everything."""
    OUT_3 = "out3"
    OUT_15 = "out15"
    """The ledger does not answer for so many points."""

    @property
    def points(self) -> int:
        """How much later, or how long, for those that say so."""
        return int("".join(each for each in self.value if each.isdigit()) or 0)

    @property
    def is_late(self) -> bool:
        return self.value.startswith("late")

    @property
    def is_freeze(self) -> bool:
        return self.value.startswith("freeze")

    @property
    def is_straggler(self) -> bool:
        return self.value.startswith("straggle")

    @property
    def is_outage(self) -> bool:
        return self.value.startswith("out")


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
    """Counts the points of a run over all its processes, and says what happens at each.

    A process that was frozen ends `zombie_points` after it went on, as one does that learns it has lost its trigger;
    0 for never.
    """

    schedule: Schedule
    clock: FakeClock
    zombie_points: int = 0
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
        if self._late or self._thaws:
            await self._due()
            await process.stays_if_dead()
        fault = self.schedule.get(number)
        if fault is None:
            return None
        if fault is Fault.STOP:
            await self.kill(process)
        if fault is Fault.ERROR:
            raise Retry("struck", code="struck")
        if fault is Fault.DELAY:
            await self.clock.sleep(DELAY_S)
            await process.stays_if_dead()
        if fault.is_freeze:
            await self._freeze(process, fault)
        return fault

    async def kill(self, process: Process) -> None:
        """Its end; does not return to one of its own tasks."""
        process.die()
        await process.stays_if_dead()

    def later(self, points: int, what: str, effect: Callable[[], Awaitable[None]]) -> None:
        """Let an effect come when so many points more have passed."""
        self._late.append((self.passed + points, what, effect))

    def forget_late_but(self, kept: str) -> None:
        """Nothing else that is under way to the platform will arrive."""
        self._late = [each for each in self._late if each[1] == kept or not each[1].startswith(TO_PLATFORM)]

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
        process.freeze()
        await thaw.wait()
        process.thaw()
        if self.zombie_points:

            async def learn() -> None:
                process.die()

            self.later(self.zombie_points, "learn", learn)


@dataclass(slots=True)
class Process:
    """One life of the service. `tell` is called with what becomes of it: died, froze, thawed."""

    number: int = 0
    tell: Callable[[Process, str], None] = lambda process, what: None
    died: asyncio.Event = field(default_factory=asyncio.Event)
    froze: asyncio.Event = field(default_factory=asyncio.Event)
    is_awake: bool = True

    @property
    def is_out(self) -> bool:
        """Somebody has to start another."""
        return self.died.is_set() or self.froze.is_set()

    @property
    def is_zombie(self) -> bool:
        """It goes on behind a take-over."""
        return self.froze.is_set() and self.is_awake and not self.died.is_set()

    def die(self) -> None:
        if not self.died.is_set():
            self.died.set()
            self.tell(self, "died")

    def freeze(self) -> None:
        self.froze.set()
        self.is_awake = False
        self.tell(self, "froze")

    def thaw(self) -> None:
        self.is_awake = True
        self.tell(self, "thawed")

    async def stays_if_dead(self) -> None:
        """A dead process's tasks never come back; the harness clears them away."""
        if self.died.is_set():
            await asyncio.get_running_loop().create_future()
