"""The engine over fakes of everything, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bridge.domain.delivery import Delivery, Outcome, Receipt
from bridge.domain.errors import BridgeError, Retry
from bridge.domain.model import Generation, TriggerName
from bridge.domain.plan import TriggerPlan
from bridge.domain.standing import Standing
from bridge.domain.trail import at_work, trail_of
from bridge.engine.cycle import Memory, Neighbours, Pass, run_cycle
from bridge.engine.supervisor import Supervisor
from bridge.engine.worker import Worker
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.fakes.plans import REF, a_plan
from tests.fakes.publisher import answered
from tests.fakes.results import raw_result
from tests.fakes.signals import ListLogger, quiet_signals
from tests.fakes.source import FakeSource
from tests.fakes.transactions import FakeTransactions

STOP_TIMEOUT_S = 5.0
OWNER = "pod-1"


@dataclass(slots=True)
class Log:
    """A broker with one partition a topic; what each record's fate is, is scripted by its number of sending."""

    records: list[Delivery] = field(default_factory=list)
    fates: dict[int, tuple[Outcome, bool]] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict)
    refusals: list[BridgeError] = field(default_factory=list)
    sent: int = 0
    hangs: bool = False
    prepared: list[Delivery] = field(default_factory=list)

    def prepare(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        self.prepared += deliveries
        return [*deliveries]

    async def publish(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        if self.refusals:
            raise self.refusals.pop(0)
        return answered(deliveries, [self._send(delivery) for delivery in deliveries])

    def _send(self, delivery: Delivery) -> Receipt:
        outcome, appended = self.fates.get(self.sent, (Outcome.ACKED, True))
        code = self.codes.get(self.sent, "" if outcome is Outcome.ACKED else outcome.value)
        self.sent += 1
        if appended:
            self.records.append(delivery)
        return Receipt(mark=delivery.mark, outcome=outcome, topic=delivery.topic, partition=0, code=code)

    def on(self, topic: str) -> list[str]:
        """The sequence ids of the records of a topic, in order."""
        return [record.sequence_id for record in self.records if record.topic == topic]


@dataclass(slots=True)
class Store:
    """Standings in memory."""

    standings: dict[TriggerName, Standing] = field(default_factory=dict)
    failures: int = 0
    save_failures: int = 0
    saved: list[Standing] = field(default_factory=list)

    async def load(self) -> Mapping[TriggerName, Standing]:
        await self._fail()
        return dict(self.standings)

    async def save(self, name: TriggerName, standing: Standing) -> None:
        await self._fail()
        if self.save_failures:
            self.save_failures -= 1
            raise Retry("no broker", code="broker_unavailable")
        self.standings[name] = standing
        self.saved.append(standing)

    @property
    def wishes(self) -> list[Standing]:
        """What was saved of what somebody asked for; a worker writes down by itself how far it is."""
        return [standing for standing in self.saved if standing.pause or standing.resets]

    async def _fail(self) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise Retry("no broker", code="broker_unavailable")


def new_memory() -> Memory:
    """Of a worker that has just taken over: the one before it may have left an advance under way."""
    return Memory(trail=trail_of(at_work(Standing()), 0.0, 1024))


class World:
    """Everything a supervisor needs; `uploaded` results are numbered from 1."""

    def __init__(self, plan: TriggerPlan | None = None, *, announces_end: bool = True) -> None:
        self.plan = plan or a_plan()
        self.clock = FakeClock()
        self.source = FakeSource(announces_end=announces_end)
        self.log = Log()
        self.ledger = FakeLedger(self.clock)
        self.store = Store()
        self.signals, self.lines = quiet_signals()
        self.transactions = FakeTransactions()
        self.neighbours = Neighbours(
            source=self.source,
            publisher=self.log,
            transactions=self.transactions,
            ledger=self.ledger,
            clock=self.clock,
        )
        self.memory = new_memory()
        self.uploaded = 0
        self.source.make(self.plan.ref)

    def upload(
        self,
        count: int,
        *,
        filtered: bool = False,
        text: str = "hello",
        created_at: str = "2020-06-01T13:27:29.450Z",
    ) -> None:
        numbers = range(self.uploaded + 1, self.uploaded + count + 1)
        raws = [raw_result(number, {"Urgent": 0.9}, text=text, created_at=created_at) for number in numbers]
        self.source.upload(self.plan.ref, raws, filtered=filtered)
        self.uploaded += count

    def upload_raw(self, raw: bytes) -> None:
        self.source.upload(self.plan.ref, [raw])
        self.uploaded += 1

    async def cycle(self, generation: int = 0) -> Pass:
        return await run_cycle(self.plan, Generation(generation), self.memory, self.neighbours, self.signals)

    @property
    def pending(self) -> int:
        return self.source.pending(self.plan.ref)

    @asynccontextmanager
    async def running(self, *plans: TriggerPlan) -> AsyncIterator[Supervisor]:
        """A supervisor at work; stopped at the end."""
        supervisor = Supervisor(self.neighbours, self.store, self.signals, lambda: 0.5, STOP_TIMEOUT_S, OWNER)
        stop = asyncio.Event()
        task = asyncio.create_task(supervisor.run(plans or (self.plan,), stop))
        try:
            await self.until(lambda: supervisor.is_ready)
            yield supervisor
        finally:
            stop.set()
            await task

    async def until(self, holds: Callable[[], bool], *, within_s: float = 3600.0) -> None:
        """Let virtual time pass until something holds."""
        end_s = self.clock.monotonic_s() + within_s
        while not holds():
            assert self.clock.monotonic_s() < end_s, "it did not come to hold"
            await self.clock.sleep(0.05)

    def worker(self, supervisor: Supervisor) -> Worker:
        return supervisor.worker(self.plan.name)


def sequence(first: int, last: int) -> list[str]:
    return [f"seq-{number}" for number in range(first, last + 1)]


__all__ = ["REF", "ListLogger", "Log", "Store", "World", "new_memory", "sequence"]
