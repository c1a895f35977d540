"""Where a trigger stood at each moment: opaque positions turned into ranks, resets into generations."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.history.events import Advanced, Event, Expectation, Expected, Fetched, ResetDone, Zombie
from tests.history.verdict import Violation


class BadHarnessError(ValueError):
    """The expectation contradicts itself: nothing can be judged."""


@dataclass(slots=True)
class Timeline:
    """Reads the platform's log of one trigger once, in its order.

    A rank counts the results at or before a position. `covered_ms` says when the results of a generation were first
    advanced past, from its first one on; `begun_ms` when a generation began; `breaches` what was seen on the way.
    """

    expectation: Expectation
    order: Sequence[Expected] = field(init=False)
    place: dict[str, int] = field(init=False)
    covered_ms: dict[int, list[float]] = field(default_factory=dict)
    begun_ms: dict[int, float] = field(default_factory=dict)
    breaches: list[Violation] = field(default_factory=list)
    zombies: Sequence[Zombie] = ()
    advances: int = 0
    resets: int = 0
    fetches_ms: dict[str, list[float]] = field(default_factory=dict)
    _batches: dict[str, int] = field(default_factory=dict)
    _generation: int = field(init=False)
    _rank: int = field(init=False)
    _workers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.order = longest(self.expectation)
        self.place = {expected.sequence_id: place for place, expected in enumerate(self.order)}
        self._generation = min(self.expectation.generations, default=0)
        self._rank = self.start_of(self._generation)
        self.begun_ms[self._generation] = float("-inf")

    def start_of(self, generation: int) -> int:
        """The rank at which a generation begins."""
        of_it = self.expectation.generations.get(generation, ())
        return self.place[of_it[0].sequence_id] if of_it else len(self.order)

    def reached(self, generation: int) -> int:
        """The furthest rank a generation was advanced to."""
        return self.start_of(generation) + len(self.covered_ms.get(generation, ()))

    def advanced_past_ms(self, generation: int, place: int) -> float | None:
        """When a result was first advanced past in a generation."""
        covered, at = self.covered_ms.get(generation, []), place - self.start_of(generation)
        return covered[at] if 0 <= at < len(covered) else None

    def fetched_before_ms(self, sequence_id: str, at_ms: float) -> float:
        """When the last page with this result was served that a record of then can come from."""
        served = self.fetches_ms.get(sequence_id, [])
        upto = bisect_right(served, at_ms)
        return served[upto - 1] if upto else at_ms

    def read(self, event: Event) -> None:
        """Take the next event of the platform's log."""
        match event:
            case Fetched():
                self._fetched(event)
            case Advanced() if event.ok:
                self._advanced(event)
            case ResetDone():
                self._reset(event)
            case _:
                return

    def _fetched(self, event: Fetched) -> None:
        if not self._is_of_zombie(event):
            self._worked(event.worker)
        places = [self.place[each] for each in event.sequence_ids if each in self.place]
        rank = max(places) + 1 if places else self._rank_of(event.from_sequence_id)
        if event.from_sequence_id not in self.place:
            self._batches.setdefault(event.from_sequence_id, self._rank)
        if event.batch_id not in self.place:
            self._batches[event.batch_id] = self._rank if rank is None else rank
        for sequence_id in event.sequence_ids:
            self.fetches_ms.setdefault(sequence_id, []).append(event.at_ms)

    def _advanced(self, event: Advanced) -> None:
        self._worked(event.worker)
        self.advances += 1
        rank = self._rank_of(event.sequence_id)
        if rank is None:
            self._breach("I1", "advanced_to_nowhere", f"{event.sequence_id} was neither a result nor a batch")
            return
        covered = self.covered_ms.setdefault(self._generation, [])
        if rank < self._rank and event.is_late:
            del covered[max(0, rank - self.start_of(self._generation)) :]
        elif rank < self._rank:
            self._breach("I3", "position_backwards", f"from rank {self._rank} to {rank} without a reset")
        covered.extend([event.at_ms] * (rank - self.start_of(self._generation) - len(covered)))
        self._rank = rank

    def _reset(self, event: ResetDone) -> None:
        if event.generation < self._generation or event.generation not in self.expectation.generations:
            self._breach("I3", "unexpected_generation", f"{event.generation} after {self._generation}")
            return
        self.resets += 1
        self._generation = event.generation
        self._rank = self.start_of(event.generation)
        self._batches[event.to] = self._rank
        self.begun_ms.setdefault(event.generation, event.at_ms)

    def _rank_of(self, sequence_id: str) -> int | None:
        place = self.place.get(sequence_id)
        return self._batches.get(sequence_id) if place is None else place + 1

    def _is_of_zombie(self, event: Fetched) -> bool:
        """It has lost the trigger, and only asks: its lease ended between the question and the request (D15)."""
        lost = event.worker in self._workers[:-1]
        return lost and any(zombie.at_ms <= event.at_ms <= zombie.until_ms for zombie in self.zombies)

    def _worked(self, worker: str) -> None:
        """I6: whoever lost a trigger does not come back to it in the same term."""
        if not worker or self._workers[-1:] == [worker]:
            return
        if worker in self._workers:
            self._breach("I6", "workers_overlap", f"{worker} worked on after {self._workers[-1]} had begun")
            return
        self._workers.append(worker)

    def _breach(self, invariant: str, code: str, about: str) -> None:
        trigger = self.expectation.trigger
        self.breaches.append(Violation(invariant=invariant, code=code, trigger=trigger, about=about))


def longest(expectation: Expectation) -> Sequence[Expected]:
    """The trigger's order: every generation is the end of the longest one, a window any part of it."""
    order = max(expectation.generations.values(), key=len, default=())
    for generation, of_it in expectation.generations.items():
        ids = [each.sequence_id for each in order]
        at = ids.index(of_it[0].sequence_id) if of_it and of_it[0].sequence_id in ids else len(order) - len(of_it)
        until = at + len(of_it) if generation in expectation.windows else len(order)
        if ids[at:until] != [each.sequence_id for each in of_it]:
            raise BadHarnessError(f"generation {generation} of {expectation.trigger} is no such part of the others")
    if len({each.sequence_id for each in order}) != len(order):
        raise BadHarnessError(f"a sequence id of {expectation.trigger} is expected twice")
    return order


def timeline_of(expectation: Expectation, events: Sequence[Event]) -> Timeline:
    """Everything the platform logged of one trigger."""
    mine = [event for event in events if getattr(event, "trigger", None) == expectation.trigger]
    timeline = Timeline(expectation, zombies=[event for event in mine if isinstance(event, Zombie)])
    for event in mine:
        timeline.read(event)
    return timeline
