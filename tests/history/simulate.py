"""A correct worker on a bad day: histories that the checker must find clean, to plant faults in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.history.events import (
    Advanced,
    Event,
    Expectation,
    Expected,
    Fetched,
    Killed,
    LostMark,
    Outage,
    Part,
    Published,
    ResetDone,
    UnknownReceipt,
    Uploaded,
)

TRIGGER = "org1/collateral/dispute"
ROUTES = {"urgent": "rpa.urgent", "trades": "rpa.trades", "copies": "rpa.urgent"}
KEYS = (b"thread-1", b"thread-2", b"thread-3", None)
PARTITIONS = 2
GENERATIONS_MAX = 3
PAGE_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What happened, and what should have."""

    events: list[Event]
    expectation: Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    place: int
    route: str
    topic: str
    key: bytes | None
    generation: int

    @property
    def ce_id(self) -> str:
        return f"{self.generation}-{self.place}-{self.route}"


class _Died(Exception):
    """The worker was killed: nothing after it in the pass happens."""


@dataclass(slots=True)
class Simulation:
    """`trouble` is the share of steps at which something goes wrong."""

    dice: Random
    results: int
    trouble: float
    events: list[Event] = field(default_factory=list)
    now_ms: float = 1_000.0
    _order: list[Expected] = field(default_factory=list)
    _keys: list[bytes | None] = field(default_factory=list)
    _starts: dict[int, int] = field(default_factory=lambda: {0: 0})
    _generation: int = 0
    _position: int = 0
    _position_id: str = "beginning"
    _visible: int = 0
    _batches: int = 0
    _incarnation: int = 1
    _marks: set[str] = field(default_factory=set)
    _offsets: defaultdict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))

    def run(self) -> Run:
        """Carries everything over, through whatever trouble there is."""
        for place in range(self.results):
            routes = {route: topic for route, topic in ROUTES.items() if self.dice.random() < 0.5}
            self._order.append(Expected(sequence_id=f"s{place}", uid=f"u{place}", routes=routes))
            self._keys.append(self.dice.choice(KEYS))
        while self._position < self.results:
            self._upload()
            self._perhaps_reset()
            try:
                self._cycle()
            except _Died:
                self._incarnation += 1
        generations = {generation: self._order[start:] for generation, start in self._starts.items()}
        return Run(events=self.events, expectation=Expectation(trigger=TRIGGER, generations=generations))

    def _tick(self) -> float:
        self.now_ms += 1 + self.dice.random() * 5
        return self.now_ms

    def _goes_wrong(self) -> bool:
        return self.dice.random() < self.trouble

    def _die(self) -> None:
        self.events.append(Killed(at_ms=self._tick(), who=Part.BRIDGE))
        raise _Died

    def _upload(self) -> None:
        upto = min(self.results, self._visible + self.dice.randint(0, PAGE_MAX))
        for expected in self._order[self._visible : upto]:
            self.events.append(Uploaded(at_ms=self._tick(), uid=expected.uid, sequence_id=expected.sequence_id))
        self._visible = upto

    def _perhaps_reset(self) -> None:
        """Killed between the platform's reset and the writing of the generation, a reset is done twice."""
        if self._generation + 1 >= GENERATIONS_MAX or not self._visible or self.dice.random() > 0.1:
            return
        start = self.dice.randrange(self._visible)
        self._generation += 1
        self._starts[self._generation] = start
        self._position, self._position_id = start, f"reset-{self._generation}"
        for _ in range(2 if self._goes_wrong() else 1):
            at_ms = self._tick()
            self.events.append(
                ResetDone(at_ms=at_ms, trigger=TRIGGER, to=self._position_id, generation=self._generation)
            )

    def _cycle(self) -> None:
        end = min(self._visible, self._position + self.dice.randint(0, PAGE_MAX))
        batch_id = self._fetch(end)
        if self._goes_wrong():
            self._die()
        if self._goes_wrong():
            self._part_out(Part.REDIS)
            return
        if not self._publish([each for each in self._deliveries(end) if each.ce_id not in self._marks]):
            return
        if self._goes_wrong():
            self._die()
        self._marks |= {each.ce_id for each in self._deliveries(end)}
        if self._goes_wrong():
            self._marks.clear()
            self.events.append(LostMark(at_ms=self._tick(), trigger=TRIGGER))
        if self._goes_wrong():
            self._die()
        self._advance(end, batch_id)

    def _fetch(self, end: int) -> str:
        """A batch id lies past the last result where more was filtered away behind it."""
        page = [expected.sequence_id for expected in self._order[self._position : end]]
        filtered = not page or self.dice.random() < 0.3
        self._batches += 1
        batch_id = f"batch-{self._batches}" if filtered else page[-1]
        self.events.append(
            Fetched(
                at_ms=self._tick(),
                trigger=TRIGGER,
                from_sequence_id=self._position_id,
                sequence_ids=tuple(page),
                batch_id=batch_id,
                worker=f"worker-{self._incarnation}",
            )
        )
        return batch_id

    def _deliveries(self, end: int) -> list[_Record]:
        return [
            _Record(place=place, route=route, topic=topic, key=self._keys[place], generation=self._generation)
            for place in range(self._position, end)
            for route, topic in self._order[place].routes.items()
        ]

    def _publish(self, records: Sequence[_Record]) -> bool:
        """All of them, or a first part with the worker dead or the rest not known."""
        if not self._goes_wrong():
            for record in records:
                self._append(record)
            return True
        done = self.dice.randint(0, len(records))
        for record in records[:done]:
            self._append(record)
        known = self.dice.randint(0, done)
        in_flight = records[done : done + self.dice.randint(0, 2)]
        if self.dice.random() < 0.5:
            self.events.append(Killed(at_ms=self._tick(), who=Part.BRIDGE))
            for record in in_flight:
                self._append(record)
            raise _Died
        self._marks |= {record.ce_id for record in records[:known]}
        if self.dice.random() < 0.5:
            self.events.append(UnknownReceipt(at_ms=self._tick(), trigger=TRIGGER))
        else:
            self._part_out(Part.KAFKA)
        return False

    def _append(self, record: _Record) -> None:
        partition = 0 if record.key is None else record.key[-1] % PARTITIONS
        expected = self._order[record.place]
        self.events.append(
            Published(
                topic=record.topic,
                partition=partition,
                offset=self._offsets[record.topic, partition],
                append_time_ms=int(self._tick()),
                ce_id=record.ce_id,
                trigger=TRIGGER,
                generation=record.generation,
                route=record.route,
                sequence_id=expected.sequence_id,
                uid=expected.uid,
                key=record.key,
            )
        )
        self._offsets[record.topic, partition] += 1

    def _part_out(self, who: Part) -> None:
        from_ms = self._tick()
        self.events.append(Outage(at_ms=from_ms, until_ms=self._tick(), who=who))

    def _advance(self, end: int, batch_id: str) -> None:
        """Refused, done, or done with its answer lost; the worker's next fetch tells it."""
        ok = not self._goes_wrong()
        self.events.append(
            Advanced(
                at_ms=self._tick(),
                trigger=TRIGGER,
                sequence_id=batch_id,
                ok=ok,
                worker=f"worker-{self._incarnation}",
            )
        )
        if ok:
            self._position, self._position_id = end, batch_id
