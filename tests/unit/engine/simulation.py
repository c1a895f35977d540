"""The real engine on a bad day: each call of a port goes well, fails before or after its effect, or is its death."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from bridge.domain.delivery import Delivery, MarkKey, Outcome, Receipt
from bridge.domain.errors import Blocked, BridgeError, Retry, StopTrigger, Throttled
from bridge.domain.model import Batch, SequenceId, TriggerName, TriggerRef
from bridge.domain.plan import KeyFrom, KeyKind, OnLedgerOutage, TriggerPlan
from bridge.domain.settle import Settled
from bridge.domain.standing import Reset, Standing
from bridge.engine.cycle import Neighbours
from bridge.engine.desk import ConflictError, WouldSkipError
from bridge.engine.supervisor import Supervisor
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.fakes.plans import REF, a_plan
from tests.fakes.publisher import Appended, FakePublisher
from tests.fakes.results import raw_result
from tests.fakes.signals import quiet_signals
from tests.fakes.source import FakeSource
from tests.fakes.state_store import FakeStateStore
from tests.fakes.transactions import FakeTransactions
from tests.history.events import (
    Advanced,
    Event,
    Expectation,
    Expected,
    Fetched,
    Killed,
    LostMark,
    Part,
    Published,
    ResetDone,
    UnknownReceipt,
)

T = TypeVar("T")

NAME = TriggerName("disputes")
TOPICS = {"urgent": "rpa.urgent", "trades": "rpa.trades"}
UNMATCHED, DEAD = "rpa.unrouted", "rpa.dead"
RECORD_BYTES_MAX = 2_000
"""Of the broker, which the service does not know: it plans with far more."""

LIVES_MAX = 4
STEPS_MAX = 8
STOP_TIMEOUT_S = 5.0
TICK_MS = 10.0


class Defect(Exception):
    """What no port may raise, and one does."""


@dataclass(slots=True)
class Troubles:
    """`share` of the calls go wrong; `deadly` of those end the process."""

    dice: Random
    share: float
    deadly: float
    died: asyncio.Event = field(default_factory=asyncio.Event)

    async def around(
        self, do: Callable[[], Awaitable[T]], errors: Sequence[Exception], killed: Callable[[], None]
    ) -> T:
        """The call, with what becomes of it."""
        await self._unless_dead()
        if self.dice.random() >= self.share:
            return await do()
        deadly, done = self.dice.random() < self.deadly, self.dice.random() < 0.5
        if done:
            await do()
        if deadly:
            killed()
            self.died.set()
            await self._unless_dead()
        raise self.dice.choice(errors)

    async def _unless_dead(self) -> None:
        if self.died.is_set():
            await asyncio.Event().wait()


class Simulation:
    """One schedule. `events` and `expectation` are for the judge; `breaches` are what only the inside can see."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.policy = self.dice.choice(list(OnLedgerOutage))
        self.plan = self._plan()
        self.share = self.dice.choice([0.0, 0.05, 0.2])
        self.clock = FakeClock()
        self.source = FakeSource(announces_end=self.dice.random() < 0.7)
        self.publisher = FakePublisher(record_bytes_max=RECORD_BYTES_MAX)
        self.ledger = FakeLedger(self.clock)
        self.store = FakeStateStore()
        self.events: list[Event] = []
        self.breaches: list[str] = []
        self.acked: set[MarkKey] = set()
        self.order: list[Expected] = []
        self.uploaded_at: list[datetime] = []
        self.starts: dict[int, int] = {0: 0}
        self.numbers = 0
        self.generation_sent = 0
        self.lives = 0
        self.is_unmarked = False
        """Acked, and only remembered in the process: a mark that is lost when this life ends, however gently."""
        self.is_between = False
        """The platform has reset and the generation is not raised yet: no pass may run (I3)."""
        self._now_ms = 1_000.0
        self.source.make(REF)

    def _plan(self) -> TriggerPlan:
        plan = a_plan(
            {"urgent": "Urgent", "trades": "Trade"},
            on_ledger_outage=self.policy,
            batch_size=self.dice.choice([1, 3, 7]),
            share=1.0,
        )
        return replace(plan, key=KeyFrom(kind=KeyKind.THREAD_ID))

    @property
    def expectation(self) -> Expectation:
        return Expectation(
            trigger=REF.identity,
            generations={generation: self.order[start:] for generation, start in self.starts.items()},
        )

    def tick(self) -> float:
        self._now_ms += TICK_MS
        return self._now_ms

    async def run(self) -> None:
        """Some lives that end anyhow, and one in which nothing goes wrong any more."""
        for _ in range(self.dice.randint(1, LIVES_MAX)):
            await self._live(Troubles(self.dice, self.share, self.dice.choice([0.0, 0.3])), self._act)
        await self._live(Troubles(self.dice, 0.0, 0.0), self._heal)

    async def _live(self, troubles: Troubles, act: Callable[[Supervisor], Awaitable[None]]) -> None:
        self.lives += 1
        neighbours = Neighbours(
            source=Platform(self, troubles),
            publisher=Broker(self, troubles),
            transactions=FakeTransactions(),
            ledger=Marks(self, troubles),
            clock=self.clock,
        )
        supervisor = Supervisor(
            neighbours, States(self, troubles), quiet_signals()[0], self.dice.random, STOP_TIMEOUT_S
        )
        stop = asyncio.Event()
        running = asyncio.create_task(supervisor.run([self.plan], stop))
        acting = asyncio.ensure_future(act(supervisor))
        died = asyncio.create_task(troubles.died.wait())
        await asyncio.wait({running, acting, died}, return_when=asyncio.FIRST_COMPLETED)
        if not troubles.died.is_set() and troubles.share and self.dice.random() < 0.3:
            self.killed()
            troubles.died.set()
        stop.set()
        died.cancel()
        if not acting.done():
            acting.cancel()
        if not supervisor.is_ready and troubles.died.is_set():
            running.cancel()
        for task in (acting, running):
            with suppress(asyncio.CancelledError):
                await task
        if self.is_unmarked:
            self.mark_lost()
            self.is_unmarked = False

    async def _act(self, supervisor: Supervisor) -> None:
        await self._until(lambda: supervisor.is_ready)
        for _ in range(self.dice.randint(1, STEPS_MAX)):
            deed = self.dice.choice(
                [self._upload, self._upload, self._upload, self._command, self._flush, self._reload]
            )
            with suppress(BridgeError, ConflictError, WouldSkipError, Defect):
                await deed(supervisor)
            await self.clock.sleep(self.dice.choice([0.0, 0.1, 1.0, 20.0]))

    async def _heal(self, supervisor: Supervisor) -> None:
        await self._until(lambda: supervisor.is_ready)
        await supervisor.resume(NAME, "operate")

        def healed() -> bool:
            standing = self.store.standings.get(NAME, Standing())
            return self.source.pending(REF) == 0 and standing.open_reset is None

        await self._until(healed)

    async def _until(self, holds: Callable[[], bool]) -> None:
        end_s = self.clock.monotonic_s() + 3600.0
        while not holds():
            assert self.clock.monotonic_s() < end_s, "it did not come to hold"
            await self.clock.sleep(0.5)

    async def _upload(self, _: Supervisor) -> None:
        for _number in range(self.dice.randint(1, 6)):
            self._upload_one(self.dice.choice(["result", "result", "result", "result", "filtered", "huge", "broken"]))
            await self.clock.sleep(0.001)

    def _upload_one(self, kind: str) -> None:
        self.numbers += 1
        routes = [route for route in TOPICS if self.dice.random() < 0.5]
        labels = {{"urgent": "Urgent", "trades": "Trade"}[route]: 0.9 for route in routes}
        raw = raw_result(
            self.numbers,
            labels,
            text="x" * RECORD_BYTES_MAX if kind == "huge" else "hello",
            created_at=self.clock.now().isoformat(),
            thread_id=self.dice.choice(["t1", "t2", "t3"]),
        )
        if kind == "broken":
            raw = raw.replace(b'"labels": [', b'"labels": [17, ' if labels else b'"labels": [17')
        self.source.upload(REF, [raw], filtered=kind == "filtered")
        if kind != "filtered":
            goes_to = {route: TOPICS[route] for route in routes} or {"unmatched": UNMATCHED}
            self.order.append(
                Expected(
                    sequence_id=f"seq-{self.numbers}",
                    uid=f"18ba5ce699f8da1f.{self.numbers:x}",
                    routes={"dead_letter": DEAD} if kind in ("huge", "broken") else goes_to,
                )
            )
            self.uploaded_at.append(self.clock.now())

    async def _command(self, supervisor: Supervisor) -> None:
        match self.dice.choice(["pause", "resume", "reset", "reset"]):
            case "pause":
                await supervisor.pause(NAME, "operate", "")
            case "resume":
                await supervisor.resume(NAME, "operate")
            case _:
                back = timedelta(seconds=self.dice.choice([0.0, 0.5, 10.0, 60.0]))
                reset = Reset(
                    id=f"reset-{self.dice.randrange(1000)}",
                    to_comment_created_at=self.clock.now() - back,
                    requested_at=self.clock.now(),
                    requested_by="operate",
                    allow_skip=self.dice.random() < 0.2,
                )
                await supervisor.reset(NAME, reset)

    async def _flush(self, _: Supervisor) -> None:
        self.ledger.flush()
        self.mark_lost()

    async def _reload(self, supervisor: Supervisor) -> None:
        self.plan = replace(self.plan, batch_size=self.dice.choice([1, 3, 7]))
        await supervisor.apply([self.plan])

    def mark_lost(self) -> None:
        self.events.append(LostMark(at_ms=self.tick(), trigger=REF.identity))

    def killed(self) -> None:
        self.events.append(Killed(at_ms=self.tick(), who=Part.BRIDGE))

    def place_of(self, instant: datetime) -> int:
        """How many results were uploaded before then."""
        return sum(uploaded < instant for uploaded in self.uploaded_at)


@dataclass(slots=True)
class Platform:
    """The Source port of one life."""

    run: Simulation
    troubles: Troubles
    page: Batch | None = None

    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        async def do() -> Batch:
            position = self.run.source.position(trigger)
            batch = await self.run.source.fetch(trigger, size)
            self.run.events.append(
                Fetched(
                    at_ms=self.run.tick(),
                    trigger=trigger.identity,
                    from_sequence_id=position,
                    sequence_ids=tuple(result.sequence_id for result in batch.results),
                    batch_id=batch.sequence_id,
                    worker=str(self.run.lives),
                )
            )
            return batch

        return await self.troubles.around(do, [*_errors(), StopTrigger("no", code="refused")], self.run.killed)

    async def advance(self, trigger: TriggerRef, settled: Settled) -> None:
        async def do() -> None:
            if self.run.is_between:
                self.run.breaches.append(f"I3: advanced to {settled.sequence_id} between reset and generation")
            behind = self.run.source.pending(trigger)
            await self.run.source.advance(trigger, settled)
            self._check_acked(behind - self.run.source.pending(trigger))
            self.run.events.append(
                Advanced(
                    at_ms=self.run.tick(),
                    trigger=trigger.identity,
                    sequence_id=settled.sequence_id,
                    worker=str(self.run.lives),
                )
            )

        await self.troubles.around(do, _errors(), self.run.killed)

    def _check_acked(self, moved: int) -> None:
        """I1: the judge sees what is appended; only here can be seen that it was acked, too."""
        if moved < 0:
            self.run.breaches.append(f"I3: the position went back by {-moved}")
        standing = self.run.store.standings.get(NAME, Standing())
        ahead = {result.sequence_id for result in _pending(self.run)}
        for record in self.run.publisher.log:
            is_past = _generation(record.delivery) == standing.generation and record.delivery.sequence_id not in ahead
            if is_past and record.delivery.mark not in self.run.acked:
                self.run.breaches.append(f"I1: advanced past {record.delivery.sequence_id}, which was not acked")

    async def reset(self, trigger: TriggerRef, to_comment_created_at: datetime) -> SequenceId:
        async def do() -> SequenceId:
            standing = self.run.store.standings[NAME]
            reset = standing.open_reset
            assert reset is not None, "the platform was reset by nobody's wish"
            waiting = len(_pending(self.run))
            there = await self.run.source.reset(trigger, to_comment_created_at)
            if len(_pending(self.run)) < waiting and not reset.allow_skip:
                self.run.breaches.append(f"I4: a reset passed over {waiting - len(_pending(self.run))} results")
            is_raised = standing.generation_reset_id == reset.id
            generation = standing.generation if is_raised else standing.generation + 1
            self.run.is_between = not is_raised
            self.run.starts[generation] = self.run.place_of(to_comment_created_at)
            self.run.events.append(
                ResetDone(at_ms=self.run.tick(), trigger=trigger.identity, to=there, generation=generation)
            )
            return there

        return await self.troubles.around(do, _errors(), self.run.killed)


@dataclass(slots=True)
class Broker:
    """The Publisher port of one life: whole failures, and some of the records of a call."""

    run: Simulation
    troubles: Troubles

    def prepare(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        return deliveries

    async def publish(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        async def do() -> Sequence[Receipt]:
            before = len(self.run.publisher.log)
            if self.troubles.dice.random() < self.troubles.share:
                self._spoil(len(deliveries))
            receipts = await self.run.publisher.publish(deliveries)
            for record in self.run.publisher.log[before:]:
                self._appended(record)
            self.run.acked |= {receipt.mark for receipt in receipts if receipt.outcome is Outcome.ACKED}
            if any(receipt.outcome is not Outcome.ACKED and receipt.code != "too_large" for receipt in receipts):
                self._unknown()
            return receipts

        errors = [Retry("no broker", code="broker_unavailable"), Blocked("no topic", code="topic_missing")]
        try:
            return await self.troubles.around(do, errors, self.run.killed)
        except BridgeError:
            self._unknown()
            raise

    def _spoil(self, records: int) -> None:
        places = self.troubles.dice.sample(range(records), self.troubles.dice.randint(1, records))
        match self.troubles.dice.choice(["refused", "unknown", "appended"]):
            case "refused":
                self.run.publisher.fail_next(places, blocked=self.troubles.dice.random() < 0.5)
            case "unknown":
                self.run.publisher.lose_answer(places, appended=False)
            case _:
                self.run.publisher.lose_answer(places, appended=True)

    def _appended(self, record: Appended) -> None:
        delivery = record.delivery
        self.run.generation_sent = max(self.run.generation_sent, _generation(delivery))
        if self.run.is_between:
            self.run.breaches.append(f"I3: {delivery.sequence_id} was sent between reset and generation")
        self.run.events.append(
            Published(
                topic=delivery.topic,
                partition=record.partition,
                offset=record.offset,
                append_time_ms=self.run.tick(),
                ce_id=dict(delivery.headers)["ce_id"].decode(),
                trigger=REF.identity,
                generation=_generation(delivery),
                route=delivery.route,
                sequence_id=delivery.sequence_id,
                uid=delivery.uid,
                key=delivery.key,
            )
        )

    def _unknown(self) -> None:
        self.run.events.append(UnknownReceipt(at_ms=self.run.tick(), trigger=REF.identity))


@dataclass(slots=True)
class Marks:
    """The Ledger port of one life. An outage is no cause of a duplicate, but where publishing without it was chosen."""

    run: Simulation
    troubles: Troubles

    async def marked(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> frozenset[MarkKey]:
        try:
            return await self.troubles.around(
                lambda: self.run.ledger.marked(trigger, marks), [_out("ledger")], self.run.killed
            )
        except Retry:
            if self.run.policy is OnLedgerOutage.PUBLISH:
                self.run.mark_lost()
            raise

    async def mark(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> None:
        async def do() -> None:
            if not self.run.acked.issuperset(marks):
                self.run.breaches.append("I2: marked what was not acked")
            await self.run.ledger.mark(trigger, marks)

        self.run.is_unmarked = True
        await self.troubles.around(do, [_out("ledger")], self.run.killed)
        self.run.is_unmarked = False


@dataclass(slots=True)
class States:
    """The StateStore port of one life."""

    run: Simulation
    troubles: Troubles

    async def load(self) -> Mapping[TriggerName, Standing]:
        return await self.troubles.around(self.run.store.load, [_out("state")], self.run.killed)

    async def save(self, name: TriggerName, standing: Standing) -> None:
        async def do() -> None:
            before = self.run.store.standings.get(name, Standing())
            if standing.generation < self.run.generation_sent:
                self.run.breaches.append(f"D18: generation {self.run.generation_sent} was forgotten")
            await self.run.store.save(name, standing)
            if standing.generation > before.generation:
                self.run.is_between = False

        await self.troubles.around(do, [_out("state")], self.run.killed)


def _errors() -> list[Exception]:
    return [
        Retry("the platform cannot be reached", code="unreachable"),
        Throttled("slow down", code="throttled", retry_after_s=30.0),
        Blocked("not with this token", code="unauthorized"),
        Defect("of ours"),
    ]


def _out(what: str) -> Retry:
    return Retry(f"the {what} is out", code=f"{what}_out")


def _generation(delivery: Delivery) -> int:
    return int(dict(delivery.headers)["ce_generation"])


def _pending(run: Simulation) -> list[Expected]:
    """The results behind the position, filtered comments left out."""
    known = run.source._known(REF)
    ahead = set(known.ids[known.places[known.position] :])
    return [expected for expected in run.order if expected.sequence_id in ahead]
