"""One run of the real engine over a platform, logs, marks and a state topic in memory, struck by a schedule, judged.

Assumed of the world: what a platform was asked before a reset does not arrive behind it, for nobody can fence that; a
frozen process sleeps through no reset (one worker a trigger, I6, is for the ownership to keep).
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any

from bridge.domain.plan import DeliveryMode, KeyFrom, KeyKind, OnLedgerOutage, TriggerPlan
from bridge.domain.standing import Reset
from bridge.domain.status import State
from bridge.domain.trail import LATE_S
from bridge.engine.cycle import Neighbours
from bridge.engine.desk import ConflictError
from bridge.engine.supervisor import Supervisor
from bridge.ports import TransactionalPublisher
from bridge.signals import Signals
from tests.fakes.clock import FakeClock
from tests.fakes.plans import a_plan
from tests.fakes.signals import ListLogger, quiet_signals
from tests.fakes.transactions import FakeTransactions, Hook, TransactionalLog
from tests.history.verdict import Verdict
from tests.prove.faults import Points, Process, Schedule
from tests.prove.outside import DAYS, NAME, RECORD_BYTES_MAX, Outside
from tests.prove.struck import Broker, Marks, Platform, Standings

VIRTUAL_S_MAX = 7200.0
LOOKED_EVERY_S = 1.0
ZOMBIE_POINTS = 12


class Scenario(Enum):
    """What is asked of the service in a run, in which mode."""

    ONCE_RESETS = "once_resets"
    """exactly_once: three uploads and two resets, one when all is delivered, one under load."""
    ONCE_TWO = "once_two"
    """exactly_once: two uploads, and no reset: a process may freeze while another takes over."""
    LEAST_RESETS = "least_resets"
    """at_least_once, which holds without its ledger: as above, with resets."""
    LEAST_TWO = "least_two"
    """at_least_once: a process may freeze while another takes over."""
    LEAST_PUBLISH = "least_publish"
    """at_least_once, which publishes without its ledger: two uploads and a reset."""

    ONCE_WINDOW = "once_window"
    """exactly_once: a replay with an end, one that is called off, and mail that comes meanwhile."""
    LEAST_WINDOW = "least_window"
    """at_least_once: the same."""
    ONCE_FOREIGN = "once_foreign"
    """exactly_once: a reset that somebody makes at the platform while the service is idle, or is being started."""
    LEAST_FOREIGN = "least_foreign"
    """at_least_once: the same."""

    @property
    def is_once(self) -> bool:
        return self.value.startswith("once")

    @property
    def has_two(self) -> bool:
        return self.value.endswith("two")

    @property
    def has_window(self) -> bool:
        return self.value.endswith("window")

    @property
    def has_foreign(self) -> bool:
        return self.value.endswith("foreign")

    @property
    def resets(self) -> int:
        has_none = self.has_two or self.has_window or self.has_foreign
        return 0 if has_none else 1 if self is Scenario.LEAST_PUBLISH else 2

    @functools.cached_property
    def plan(self) -> TriggerPlan:
        plan = a_plan(
            {"urgent": "Urgent", "trades": "Trade"},
            delivery=DeliveryMode.EXACTLY_ONCE if self.is_once else DeliveryMode.AT_LEAST_ONCE,
            on_ledger_outage=OnLedgerOutage.PUBLISH if self is Scenario.LEAST_PUBLISH else OnLedgerOutage.HOLD,
            batch_size=3,
            share=1.0,
        )
        # Nothing is to be seen of long rests but more points.
        poll_interval_s = 90.0 if self.has_foreign else plan.poll_interval_s
        return replace(plan, key=KeyFrom(kind=KeyKind.THREAD_ID), poll_interval_s=poll_interval_s)


@functools.cache
def _signals() -> tuple[Signals, ListLogger]:
    """Nobody listens; what is logged is thrown away behind each run."""
    return quiet_signals()


MakeTransactions = Callable[[TransactionalLog, Hook], TransactionalPublisher]


def sound(log: TransactionalLog, hook: Hook) -> TransactionalPublisher:
    """The broker as it is."""
    return FakeTransactions(log, hook=hook, record_bytes_max=RECORD_BYTES_MAX)


@dataclass(slots=True)
class Run:
    """Processes, one after the other or two at a time, until everything is delivered."""

    outside: Outside
    scenario: Scenario
    transactions: MakeTransactions = sound
    process: Process = field(default_factory=Process)
    supervisor: Supervisor | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def play(self) -> None:
        """What is asked of the service, in turn."""
        outside = self.outside
        outside.upload("ubfdntu", DAYS[0])
        self.start()
        await self.settled()
        outside.upload("ffbhu", DAYS[1])
        await self.settled()
        if self.scenario.resets > 0:
            await self.reset("r1", DAYS[1])
            await self.settled()
        if self.scenario.resets > 1:
            outside.upload("ub", DAYS[2])
            await self.reset("r2", DAYS[0])
            await self.settled()
        if self.scenario.has_window:
            await self.replay_windows()
        if self.scenario.has_foreign:
            await self.reset_at_the_platform()
        while await outside.points.land():
            await self.settled()
            await outside.clock.sleep(60.0)
        await self.settled()

    async def replay_windows(self) -> None:
        """One that comes to its end while mail arrives, and one that is called off somewhere on its way."""
        await self.reset("w1", DAYS[0], until=DAYS[1])
        self.outside.upload("ub", DAYS[2])
        await self.settled()
        await self.reset("w2", DAYS[0], until=DAYS[2])
        await self.cancel("w2")
        await self.settled()

    async def reset_at_the_platform(self) -> None:
        """By somebody else, when nothing is under way and how far the trigger is, is written down."""
        outside = self.outside
        # Before, it would be taken for a late advance of the service's own.
        await outside.clock.sleep(LATE_S)
        await self._until(lambda: outside.is_reached and self._is_idle())
        await outside.reset_by_another(DAYS[1])
        outside.upload("ub", DAYS[2])
        await self._until(lambda: outside.standing.generation > 0)
        await self.settled()

    def _is_idle(self) -> bool:
        supervisor = self.supervisor
        return bool(supervisor and supervisor.is_ready) and all(
            status.state is State.IDLE for status in (supervisor.statuses() if supervisor else ())
        )

    def start(self) -> None:
        """One process more; the one before is dead, or frozen."""
        self.process = process = self.outside.process()
        outside, plan = self.outside, self.scenario.plan

        async def hook(step: str) -> None:
            await outside.at(process, step)

        neighbours = Neighbours(
            source=Platform(outside, process, names_workers=not self.scenario.has_two),
            publisher=Broker(outside, process),
            transactions=self.transactions(outside.log, hook),
            ledger=Marks(outside, process, plan.on_ledger_outage),
            clock=outside.clock,
        )
        self.supervisor = Supervisor(neighbours, Standings(outside, process), _signals()[0], lambda: 0.5, 5.0)
        # Kept, dead or alive: the loop itself would let one go that waits for nothing but itself.
        self.tasks.append(asyncio.create_task(self.supervisor.run([plan], asyncio.Event())))

    async def settled(self) -> None:
        """Everything delivered, every reset done, whatever has to be started again for it."""
        await self._until(lambda: self.outside.pending == 0 and self.outside.standing.open_reset is None)

    async def reset(self, id_: str, day: str, *, until: str | None = None) -> None:
        """Ask for it until somebody says that it is accepted, as an operator does."""
        wish = Reset(
            id=id_,
            to_comment_created_at=datetime.fromisoformat(day),
            requested_at=self.outside.clock.now(),
            requested_by="operate",
            until=datetime.fromisoformat(until) if until else None,
        )
        await self._accepted(lambda supervisor: supervisor.reset(NAME, wish))

    async def cancel(self, id_: str) -> None:
        """Until it is accepted, or is too late."""
        await self._accepted(lambda supervisor: supervisor.cancel_reset(NAME, id_, "operate"))

    async def _accepted(self, ask: Callable[[Supervisor], Coroutine[Any, Any, Reset]]) -> None:
        accepted = False
        while not accepted:
            await self._until(lambda: bool(self.supervisor and self.supervisor.is_ready))
            assert self.supervisor is not None
            asking = asyncio.create_task(ask(self.supervisor))
            dying = asyncio.create_task(self.process.died.wait())
            await asyncio.wait({asking, dying}, return_when=asyncio.FIRST_COMPLETED)
            for task in (asking, dying):
                task.cancel()
            answer, _ = await asyncio.gather(asking, dying, return_exceptions=True)
            accepted = isinstance(answer, (Reset, ConflictError))
            await self.outside.clock.sleep(0.1)

    async def _until(self, holds: Callable[[], bool]) -> None:
        end_s = self.outside.clock.monotonic_s() + VIRTUAL_S_MAX
        while self.process.is_out or not holds():
            if self.process.is_out:
                self.start()
            if self.outside.clock.monotonic_s() > end_s:
                raise NeverSettledError(f"{self.outside.pending} comments are still pending")
            await self.outside.clock.sleep(LOOKED_EVERY_S)


class NeverSettledError(AssertionError):
    """The service did not deliver everything in two hours without a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a run. `why` is empty where everything held."""

    scenario: Scenario
    schedule: Schedule
    trace: Sequence[str]
    verdict: Verdict | None
    why: str


async def outcome_of(scenario: Scenario, schedule: Schedule, transactions: MakeTransactions = sound) -> Outcome:
    """One run, with everything it started cleared away."""
    clock = FakeClock()
    is_least_two = scenario is Scenario.LEAST_TWO
    points = Points(schedule, clock, zombie_points=ZOMBIE_POINTS if is_least_two else 0)
    outside = Outside(points=points, clock=clock, with_causes=not scenario.is_once)
    run = Run(outside, scenario, transactions)
    try:
        await run.play()
    except NeverSettledError as stuck:
        verdict, why = None, str(stuck)
    else:
        verdict = outside.judged()
        why = verdict.explained() if verdict.violations else _why_not_whole(outside)
    finally:
        await _clear_away()
        run.tasks.clear()
        _signals()[1].lines.clear()
    return Outcome(scenario=scenario, schedule=schedule, trace=points.trace, verdict=verdict, why=why)


def _why_not_whole(outside: Outside) -> str:
    """The judge lets a generation end early that a reset cut short; here none is."""
    if outside.standing.generation != max(outside.starts):
        return f"the generation is {outside.standing.generation} after {len(outside.starts) - 1} resets"
    return "\n".join(outside.breaches)


async def _clear_away() -> None:
    me = asyncio.current_task()
    while others := [task for task in asyncio.all_tasks() if task is not me]:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
