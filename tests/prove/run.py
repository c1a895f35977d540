"""One run of the real engine over a platform, a log and a state topic in memory, struck by a schedule, then judged.

Assumed of the world: what a platform was asked before a reset does not arrive behind it, for nobody can fence that; a
frozen process sleeps through no reset (one worker a trigger, I6, is for the ownership to keep).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from bridge.domain.errors import Retry
from bridge.domain.model import Batch, SequenceId, TriggerName, TriggerRef
from bridge.domain.plan import DeliveryMode, KeyFrom, KeyKind
from bridge.domain.settle import Settled
from bridge.domain.standing import Reset, Standing
from bridge.engine.cycle import Neighbours
from bridge.engine.supervisor import Supervisor
from bridge.ports import TransactionalPublisher
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.fakes.plans import REF, a_plan
from tests.fakes.publisher import FakePublisher
from tests.fakes.results import SOURCE_ID, raw_result
from tests.fakes.signals import quiet_signals
from tests.fakes.source import FakeSource
from tests.fakes.transactions import FakeTransactions, Hook, State, TransactionalLog
from tests.history.checker import judge
from tests.history.events import Advanced, Event, Expectation, Expected, Fetched, Published, ResetDone
from tests.history.verdict import Verdict
from tests.prove.faults import Fault, Points, Process, Schedule

NAME = TriggerName("disputes")
PLAN = replace(
    a_plan({"urgent": "Urgent", "trades": "Trade"}, delivery=DeliveryMode.EXACTLY_ONCE, batch_size=3, share=1.0),
    key=KeyFrom(kind=KeyKind.THREAD_ID),
)
DAYS = ("2020-06-01T09:00:00Z", "2020-06-02T09:00:00Z", "2020-06-03T09:00:00Z")
TICK_MS = 10.0
VIRTUAL_S_MAX = 7200.0


class Scenario(Enum):
    """What is asked of the service in a run."""

    RESETS = "resets"
    """Three uploads and two resets: one when all is delivered, one under load."""
    TWO_PROCESSES = "two_processes"
    """Two uploads, and no reset: a process may freeze while another takes over."""


@dataclass(slots=True)
class Outside:
    """Everything that no crash of the service touches."""

    points: Points
    source: FakeSource = field(default_factory=FakeSource)
    log: TransactionalLog = field(default_factory=TransactionalLog)
    standings: dict[TriggerName, Standing] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    events: list[Event] = field(default_factory=list)
    order: list[Expected] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    starts: dict[int, int] = field(default_factory=lambda: {0: 0})
    now_ms: float = 1_000.0
    numbers: int = 0

    def __post_init__(self) -> None:
        self.log.now_ms = self.tick
        self.source.make(REF)

    def tick(self) -> float:
        self.now_ms += TICK_MS
        return self.now_ms

    def upload(self, kinds: str, day: str) -> None:
        """One comment a letter: u(rgent), t(rade), b(oth), n(either), f(iltered), d(efect). All of one instant."""
        for kind in kinds:
            self.numbers += 1
            labels = {"u": ["Urgent"], "t": ["Trade"], "b": ["Urgent", "Trade"]}.get(kind, [])
            raw = raw_result(self.numbers, dict.fromkeys(labels, 0.9), created_at=day, thread_id=f"t{self.numbers % 3}")
            if kind == "d":
                raw = raw.replace(b'"labels": [', b'"labels": [17')
            self.source.upload(REF, [raw], filtered=kind == "f")
            if kind != "f":
                self.order.append(self._expected(kind))
                self.days.append(day)

    def _expected(self, kind: str) -> Expected:
        routes = {
            "u": {"urgent": "rpa.urgent"},
            "t": {"trades": "rpa.trades"},
            "b": {"urgent": "rpa.urgent", "trades": "rpa.trades"},
            "d": {"dead_letter": "rpa.dead"},
            "n": {"unmatched": "rpa.unrouted"},
        }[kind]
        return Expected(sequence_id=f"seq-{self.numbers}", uid=f"{SOURCE_ID}.{self.numbers:x}", routes=routes)

    def generation_of(self, instant: datetime) -> tuple[int, int]:
        """Of the reset to that instant, and the place of the first result it replays."""
        day = next(day for day in DAYS if datetime.fromisoformat(day) == instant)
        return {DAYS[1]: 1, DAYS[0]: 2}[day], self.days.index(day)

    @property
    def pending(self) -> int:
        return self.source.pending(REF)

    def judged(self) -> Verdict:
        """By a read_committed consumer's view. No duplicate has an excuse: no cause is in the history."""
        for transaction in self.log.transactions:
            if transaction.state is State.OPEN:
                transaction.state = State.ABORTED  # as the broker does in time
        generations = {generation: self.order[start:] for generation, start in self.starts.items()}
        expectation = Expectation(trigger=REF.identity, generations=generations)
        return judge([*self.events, *self._published()], [expectation])

    def _published(self) -> list[Published]:
        return [
            Published(
                topic=record.delivery.topic,
                partition=record.partition,
                offset=record.offset,
                append_time_ms=record.at_ms,
                ce_id=dict(record.delivery.headers)["ce_id"].decode(),
                trigger=REF.identity,
                generation=int(dict(record.delivery.headers)["ce_generation"]),
                route=record.delivery.route,
                sequence_id=record.delivery.sequence_id,
                uid=record.delivery.uid,
                key=record.delivery.key,
            )
            for record in self.log.appended
            if record.delivery is not None and record.transaction.state is State.COMMITTED
        ]


@dataclass(slots=True)
class Platform:
    """The Source of one process."""

    outside: Outside
    process: Process

    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        if await self._at("fetch") is Fault.REPEAT:
            self.outside.source.repeat_page()
        before = self.outside.source.position(trigger)
        page = await self.outside.source.fetch(trigger, size)
        self.outside.events.append(
            Fetched(
                at_ms=self.outside.tick(),
                trigger=trigger.identity,
                from_sequence_id=before,
                sequence_ids=tuple(result.sequence_id for result in page.results),
                batch_id=page.sequence_id,
            )
        )
        await self._at("fetched")
        return page

    async def advance(self, trigger: TriggerRef, settled: Settled) -> None:
        async def effect(*, is_late: bool = False) -> None:
            await self.outside.source.advance(trigger, settled)
            at_ms = self.outside.tick()
            if not (is_late or self.process.froze.is_set()):
                # What arrives late, or from one who slept, cannot be fenced (D15): the judge looks at what comes of it.
                self.outside.events.append(
                    Advanced(at_ms=at_ms, trigger=trigger.identity, sequence_id=settled.sequence_id)
                )

        fault = await self._at("advance")
        if fault is not None and fault.is_late:
            self.outside.points.later(fault, "advance", lambda: effect(is_late=True))
            raise Retry("the answer is late", code="timeout")
        await effect()
        await self._at("advanced")

    async def reset(self, trigger: TriggerRef, to_comment_created_at: datetime) -> SequenceId:
        async def effect() -> None:
            there = await self.outside.source.reset(trigger, to_comment_created_at)
            self.outside.source.forget_page()
            generation, start = self.outside.generation_of(to_comment_created_at)
            self.outside.starts[generation] = start
            self.outside.events.append(
                ResetDone(at_ms=self.outside.tick(), trigger=trigger.identity, to=there, generation=generation)
            )

        fault = await self._at("reset")
        instant = to_comment_created_at.isoformat()
        self.outside.points.forget_late_but(instant)
        if fault is not None and fault.is_late:
            self.outside.points.later(fault, instant, effect)
            raise Retry("the answer is late", code="timeout")
        await effect()
        await self._at("was reset")
        return self.outside.source.position(trigger)

    async def _at(self, step: str) -> Fault | None:
        return await self.outside.points.at(self.process, step)


@dataclass(slots=True)
class Standings:
    """The StateStore of one process."""

    outside: Outside
    process: Process

    async def load(self) -> Mapping[TriggerName, Standing]:
        await self._at("load")
        return dict(self.outside.standings)

    async def save(self, name: TriggerName, standing: Standing) -> None:
        await self._at("save")
        self.outside.standings[name] = standing
        await self._at("saved")

    async def _at(self, step: str) -> Fault | None:
        return await self.outside.points.at(self.process, step)


MakeTransactions = Callable[[TransactionalLog, Hook], TransactionalPublisher]


def sound(log: TransactionalLog, hook: Hook) -> TransactionalPublisher:
    """The broker as it is."""
    return FakeTransactions(log, hook=hook)


@dataclass(slots=True)
class Run:
    """Processes, one after the other or two at a time, until everything is delivered."""

    outside: Outside
    transactions: MakeTransactions = sound
    process: Process = field(default_factory=Process)
    supervisor: Supervisor | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def play(self, scenario: Scenario) -> None:
        """What is asked of the service, in turn."""
        outside = self.outside
        outside.upload("ubfdntu", DAYS[0])
        self.start()
        await self.settled()
        outside.upload("ffbtu", DAYS[1])
        await self.settled()
        if scenario is Scenario.RESETS:
            await self.reset("r1", DAYS[1])
            await self.settled()
            outside.upload("ub", DAYS[2])
            await self.reset("r2", DAYS[0])
            await self.settled()
        while await outside.points.land():
            await self.settled()
            await outside.clock.sleep(60.0)
        await self.settled()

    def start(self) -> None:
        """One process more; the one before is dead, or frozen."""
        self.process = process = Process()

        async def hook(step: str) -> None:
            await self.outside.points.at(process, step)

        neighbours = Neighbours(
            source=Platform(self.outside, process),
            publisher=FakePublisher(),
            transactions=self.transactions(self.outside.log, hook),
            ledger=FakeLedger(self.outside.clock),
            clock=self.outside.clock,
        )
        standings = Standings(self.outside, process)
        self.supervisor = Supervisor(neighbours, standings, quiet_signals()[0], lambda: 0.5, 5.0)
        # Kept, dead or alive: the loop itself would let one go that waits for nothing but itself.
        self.tasks.append(asyncio.create_task(self.supervisor.run([PLAN], asyncio.Event())))

    async def settled(self) -> None:
        """Everything delivered, every reset done, whatever has to be started again for it."""
        await self._until(lambda: self.outside.pending == 0 and self._standing.open_reset is None)

    async def reset(self, id_: str, day: str) -> None:
        """Ask for it until somebody says that it is accepted, as an operator does."""
        wish = Reset(
            id=id_,
            to_comment_created_at=datetime.fromisoformat(day),
            requested_at=self.outside.clock.now(),
            requested_by="operate",
        )
        accepted = False
        while not accepted:
            await self._until(lambda: bool(self.supervisor and self.supervisor.is_ready))
            assert self.supervisor is not None
            asking = asyncio.create_task(self.supervisor.reset(NAME, wish))
            dying = asyncio.create_task(self.process.died.wait())
            await asyncio.wait({asking, dying}, return_when=asyncio.FIRST_COMPLETED)
            for task in (asking, dying):
                task.cancel()
            answer, _ = await asyncio.gather(asking, dying, return_exceptions=True)
            accepted = isinstance(answer, Reset)
            await self.outside.clock.sleep(0.1)

    @property
    def _standing(self) -> Standing:
        return self.outside.standings.get(NAME, Standing())

    async def _until(self, holds: Callable[[], bool]) -> None:
        end_s = self.outside.clock.monotonic_s() + VIRTUAL_S_MAX
        while self.process.is_out or not holds():
            if self.process.is_out:
                self.start()
            if self.outside.clock.monotonic_s() > end_s:
                raise NeverSettledError(f"{self.outside.pending} comments are still pending")
            await self.outside.clock.sleep(0.25)


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
    outside = Outside(points=Points(schedule))
    try:
        await Run(outside, transactions).play(scenario)
    except NeverSettledError as stuck:
        verdict, why = None, str(stuck)
    else:
        verdict = outside.judged()
        why = verdict.explained() if verdict.violations else _why_not_whole(outside)
    finally:
        await _clear_away()
    return Outcome(scenario=scenario, schedule=schedule, trace=outside.points.trace, verdict=verdict, why=why)


def _why_not_whole(outside: Outside) -> str:
    """The judge lets a generation end early that a reset cut short; here none is."""
    generation = outside.standings.get(NAME, Standing()).generation
    if generation != max(outside.starts):
        return f"the generation is {generation} after {len(outside.starts) - 1} resets"
    return ""


async def _clear_away() -> None:
    me = asyncio.current_task()
    while others := [task for task in asyncio.all_tasks() if task is not me]:
        for task in others:
            task.cancel()
        await asyncio.wait(others)
