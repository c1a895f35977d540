"""What no crash of the service touches: the platform, the logs, the marks, the standings; and the account of it all."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from bridge.domain.delivery import Delivery, MarkKey
from bridge.domain.model import Batch, SequenceId, TriggerName
from bridge.domain.standing import Reset, ResetPhase, Standing
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.fakes.plans import REF
from tests.fakes.publisher import FakePublisher
from tests.fakes.results import SOURCE_ID, raw_result
from tests.fakes.source import BEGINNING, FakeSource
from tests.fakes.transactions import State, TransactionalLog
from tests.history.checker import judge
from tests.history.events import (
    Advanced,
    Event,
    Expectation,
    Expected,
    Killed,
    LostMark,
    Outage,
    Part,
    Published,
    ResetDone,
    UnknownReceipt,
    Zombie,
)
from tests.history.verdict import Verdict
from tests.prove.faults import Fault, Points, Process

NAME = TriggerName("disputes")
DAYS = ("2020-06-01T09:00:00Z", "2020-06-02T09:00:00Z", "2020-06-03T09:00:00Z")
TICK_MS = 10.0
RECORD_BYTES_MAX = 2_000
"""Of the broker, which the service does not know: it plans with far more."""


@functools.cache
def raw_comment(number: int, kind: str, day: str) -> bytes:
    """One comment a letter: u(rgent), t(rade), b(oth), n(either), f(iltered), d(efect), h(uge)."""
    labels = {"u": ["Urgent"], "t": ["Trade"], "b": ["Urgent", "Trade"], "h": ["Urgent"]}.get(kind, [])
    text = "x" * RECORD_BYTES_MAX if kind == "h" else "hello"
    probable = dict.fromkeys(labels, 0.9)
    raw = raw_result(number, probable, text=text, created_at=day, thread_id=f"t{number % 3}")
    return raw.replace(b'"labels": [', b'"labels": [17') if kind == "d" else raw


ROUTES = {
    "u": {"urgent": "rpa.urgent"},
    "t": {"trades": "rpa.trades"},
    "b": {"urgent": "rpa.urgent", "trades": "rpa.trades"},
    "d": {"dead_letter": "rpa.dead"},
    "h": {"dead_letter": "rpa.dead"},
    "n": {"unmatched": "rpa.unrouted"},
}


@dataclass(slots=True)
class Outside:
    """`events` and the logs go before the judge; `breaches` are what only the inside can see.

    `with_causes`: what may lead to a repeat is told to the judge; without, no repeat has an excuse.
    """

    points: Points
    clock: FakeClock
    with_causes: bool
    source: FakeSource = field(default_factory=FakeSource)
    log: TransactionalLog = field(default_factory=TransactionalLog)
    broker: FakePublisher = field(init=False)
    ledger: FakeLedger = field(init=False)
    standings: dict[TriggerName, Standing] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    order: list[Expected] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    starts: dict[int, int] = field(default_factory=lambda: {0: 0})
    ends: dict[int, int] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)
    sent: dict[MarkKey, Delivery] = field(default_factory=dict)
    acked: set[MarkKey] = field(default_factory=set)
    processes: Counter[str] = field(default_factory=Counter)
    now_ms: float = 1_000.0
    numbers: int = 0
    _awake_ms: dict[int, float] = field(default_factory=dict)
    _last_page: Batch | None = None
    _last_page_began: SequenceId = BEGINNING
    _reset_ms: float = 0.0
    _reset_to: SequenceId = BEGINNING
    _is_by_another: bool = False

    def __post_init__(self) -> None:
        self.log.now_ms = self.tick
        self.broker = FakePublisher(record_bytes_max=RECORD_BYTES_MAX, now_ms=self.tick)
        self.ledger = FakeLedger(self.clock)
        self.source.make(REF)

    def tick(self) -> float:
        self.now_ms += TICK_MS
        return self.now_ms

    def process(self) -> Process:
        """One life more."""
        self.processes["started"] += 1
        return Process(self.processes["started"], self._tell)

    def upload(self, kinds: str, day: str) -> None:
        """All of one instant."""
        for kind in kinds:
            self.numbers += 1
            self.source.upload(REF, [raw_comment(self.numbers, kind, day)], filtered=kind == "f")
            if kind != "f":
                uid = f"{SOURCE_ID}.{self.numbers:x}"
                self.order.append(Expected(sequence_id=f"seq-{self.numbers}", uid=uid, routes=ROUTES[kind]))
                self.days.append(day)

    async def at(self, process: Process, step: str) -> Fault | None:
        """Pass a point; what strikes the ledger is done here."""
        fault = await self.points.at(process, step)
        if fault is Fault.FLUSH:
            self.ledger.flush()
            self.mark_lost()
        elif fault is not None and fault.is_outage:
            self.ledger.go_down()
            self.points.later(fault.points, "ledger", self._come_back)
        return fault

    def served(self, page: Batch, position: SequenceId) -> None:
        """The page before once more is as if an old advance had moved the position back to where that page began."""
        if page is self._last_page:
            begun = self._last_page_began
            self.events.append(Advanced(at_ms=self.tick(), trigger=REF.identity, sequence_id=begun, is_late=True))
        else:
            self._last_page, self._last_page_began = page, position

    def mark_lost(self) -> None:
        self.events.append(LostMark(at_ms=self.tick(), trigger=REF.identity))

    def unknown(self) -> None:
        self.events.append(UnknownReceipt(at_ms=self.tick(), trigger=REF.identity))

    def zombie(self, from_ms: float, until_ms: float) -> None:
        self.events.append(Zombie(at_ms=from_ms, until_ms=until_ms, trigger=REF.identity))

    def reset_done(self, there: SequenceId) -> None:
        """The platform has reset. The generation begins with it, but is told once it is written down (D4)."""
        self._reset_ms, self._reset_to = self.tick(), there
        reset = self.standing.open_reset
        if reset is None or reset.id == self.standing.generation_reset_id:
            self._begins(self.standing.generation, self._start_of(there))

    async def reset_by_another(self, day: str) -> None:
        """Somebody resets the trigger at the platform; the generation begins with it once that is noticed.

        What had been asked of the platform before does not arrive behind it: nobody can fence that.
        """
        there = await self.source.reset(REF, datetime.fromisoformat(day))
        self.source.forget_page()
        self.points.forget_late_but("a reset by another")
        self._reset_ms, self._reset_to, self._is_by_another = self.tick(), there, True

    @property
    def is_reached(self) -> bool:
        """How far the trigger is, is written down."""
        reached = self.standing.reached
        return (
            reached is not None
            and reached.place is not None
            and not reached.spans
            and reached.place.batch_id == self.source.position(REF)
        )

    def saved(self, before: Standing, after: Standing) -> None:
        """A generation begins with what is written down: at the platform's reset, or at the way back from a replay."""
        reset = before.open_reset
        if after.generation < before.generation:
            self._never_begun(after.generation)
        if after.generation <= before.generation or (reset is None and not self._is_by_another):
            return
        if reset is not None and reset.phase is ResetPhase.RETURNING and reset.saved is not None:
            self._reset_ms, self._reset_to = self.tick(), reset.saved.batch_id
            self.ends[before.generation] = self._end_of(reset)
            if not after.resets[-1].cancelled_by:
                self.whole.add(before.generation)
        self._begins(after.generation, self._start_of(self._reset_to))

    def _never_begun(self, generation: int) -> None:
        """The answer to the writing down of a later one was lost, and it was given up before anybody acted on it."""
        self.starts = {each: start for each, start in self.starts.items() if each <= generation}
        self.events = [
            event for event in self.events if not (isinstance(event, ResetDone) and event.generation > generation)
        ]

    def _begins(self, generation: int, start: int) -> None:
        self.starts[generation] = start
        self.events.append(
            ResetDone(at_ms=self._reset_ms, trigger=REF.identity, to=self._reset_to, generation=generation)
        )

    def _start_of(self, place: SequenceId) -> int:
        """How many results lie before a place of the platform."""
        known = self.source.known(REF)
        return sum(each is not None for each in known.line[: known.places[place]])

    def _end_of(self, reset: Reset) -> int:
        """Behind the last result that a replay with an end is of, by upload times and where the trigger stood."""
        until = reset.until
        before = sum(until is None or datetime.fromisoformat(day) < until for day in self.days)
        return min(before, self._start_of(reset.saved.batch_id) if reset.saved else len(self.days))

    @property
    def standing(self) -> Standing:
        return self.standings.get(NAME, Standing())

    @property
    def pending(self) -> int:
        return self.source.pending(REF)

    def judged(self) -> Verdict:
        """By a read_committed consumer's view."""
        for number in list(self._awake_ms):
            self.zombie(self._awake_ms.pop(number), self.tick())
        for transaction in self.log.transactions:
            if transaction.state is State.OPEN:
                transaction.state = State.ABORTED  # as the broker does in time
        generations = {
            generation: self.order[start : self.ends.get(generation)] for generation, start in self.starts.items()
        }
        expectation = Expectation(
            trigger=REF.identity,
            generations=generations,
            windows=frozenset(self.ends),
            whole=frozenset(self.whole),
        )
        told = [event for event in self.events if self.with_causes or not isinstance(event, CAUSES)]
        return judge([*told, *self._committed(), *self._appended()], [expectation])

    def _committed(self) -> list[Published]:
        return [
            published(record.delivery, record.partition, record.offset, record.at_ms)
            for record in self.log.appended
            if record.delivery is not None and record.transaction.state is State.COMMITTED
        ]

    def _appended(self) -> list[Published]:
        return [published(record.delivery, record.partition, record.offset, record.at_ms) for record in self.broker.log]

    def _tell(self, process: Process, what: str) -> None:
        if what == "thawed":
            self._awake_ms[process.number] = self.tick()
        elif what == "froze":
            at_ms = self.tick()
            self.events.append(Outage(at_ms=at_ms, until_ms=at_ms, who=Part.BRIDGE))
        elif process.number in self._awake_ms:
            self.zombie(self._awake_ms.pop(process.number), self.tick())
        else:
            self.events.append(Killed(at_ms=self.tick(), who=Part.BRIDGE))

    async def _come_back(self) -> None:
        self.ledger.come_back()


CAUSES = (Killed, LostMark, Outage, UnknownReceipt, Zombie)


def published(delivery: Delivery, partition: int, offset: int, at_ms: float) -> Published:
    """As somebody sees it who reads the topic."""
    headers = dict(delivery.headers)
    return Published(
        topic=delivery.topic,
        partition=partition,
        offset=offset,
        append_time_ms=at_ms,
        ce_id=headers["ce_id"].decode(),
        trigger=REF.identity,
        generation=int(headers["ce_generation"]),
        route=delivery.route,
        sequence_id=delivery.sequence_id,
        uid=delivery.uid,
        key=delivery.key,
    )
