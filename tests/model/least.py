"""The turns of at_least_once: skip what is marked, publish, mark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model import shared
from tests.model.once import Next
from tests.model.state import Bug, Setup, Stage, State, Worker, faulty, with_worker


@dataclass(slots=True)
class Least:
    """The ledger is not behind the guard: to mark late what was acked only helps."""

    setup: Setup

    def next(self, state: State, who: int, worker: Worker) -> Iterator[Next]:
        """The steps of a worker between fetch and advance."""
        may_begin = who == state.owner or self.setup.has(Bug.NO_LEASE)
        match worker.stage:
            case Stage.FETCHED:
                yield from self._skip(state, who, worker)
            case Stage.SKIPPED:
                if may_begin:
                    yield from self._begin(state, who, worker)
            case Stage.PUBLISHING:
                yield from self._publish(state, who, worker)
            case Stage.ACKED:
                yield from self._mark(state, who, worker, Stage.ADVANCING if may_begin else Stage.IDLE)
            case Stage.HELD:
                yield from self._mark(state, who, worker, Stage.IDLE)
            case _:
                raise AssertionError(worker.stage)

    def _skip(self, state: State, who: int, worker: Worker) -> Iterator[Next]:
        marked, generation = state.marks | worker.unmarked, self._marked_as(worker)
        done = frozenset(place for place in range(*worker.page) if (generation, place) in marked)
        yield (
            f"asks for marks: {sorted(done)}",
            with_worker(state, who, worker._replace(stage=Stage.SKIPPED, done=done)),
            False,
        )
        if state.faults_left:
            held = worker._replace(stage=Stage.IDLE, page=(0, 0))
            yield "gets no answer of the ledger", with_worker(faulty(state), who, held), True

    def _begin(self, state: State, who: int, worker: Worker) -> Iterator[Next]:
        there = state
        if self.setup.has(Bug.MARK_FIRST):
            claimed = {(self._marked_as(worker), place) for place in range(*worker.page)}
            there = state._replace(marks=state.marks | claimed)
        if self.setup.has(Bug.ADVANCE_FIRST):
            there = there._replace(position=worker.page[1])
        yield "has leave to publish", with_worker(there, who, worker._replace(stage=Stage.PUBLISHING)), False

    def _publish(self, state: State, who: int, worker: Worker) -> Iterator[Next]:
        """All is acked, or a first part is appended and a first part of that known."""
        generation = shared.generation(worker.standing)
        to_send = [place for place in range(*worker.page) if place not in worker.done]
        for appended in range(len(to_send), -1, -1):
            log = state.log + tuple((generation, place) for place in to_send[:appended])
            for acked in range(appended, -1, -1):
                is_whole = acked == len(to_send)
                if is_whole or state.faults_left:
                    there = (state if is_whole else faulty(state))._replace(log=log)
                    what = f"publishes {to_send[:appended]} of {to_send}, generation {generation}, {acked} acked"
                    yield what, with_worker(there, who, self._judged(worker, len(to_send), acked)), not is_whole

    def _judged(self, worker: Worker, sent: int, acked: int) -> Worker:
        known = sent if self.setup.has(Bug.UNKNOWN_IS_ACKED) else acked
        settled, marks = shared.verdict(worker.page, shared.generation(worker.standing), worker.done, known)
        return worker._replace(stage=Stage.ACKED if settled else Stage.HELD, acked=marks, to=worker.page[1])

    def _mark(self, state: State, who: int, worker: Worker, then: Stage) -> Iterator[Next]:
        to_mark = worker.unmarked | {(self._marked_as(worker), place) for place in worker.acked}
        marks = state.marks | to_mark
        marked = worker._replace(stage=then, acked=frozenset(), unmarked=frozenset())
        if then is Stage.IDLE:
            marked = marked._replace(page=(0, 0), to=0, done=frozenset())
        yield f"marks {sorted(to_mark)}", with_worker(state._replace(marks=marks), who, marked), False
        if state.faults_left and to_mark:
            kept = worker.unmarked if self.setup.has(Bug.UNREMEMBERED) else to_mark
            held = Worker(standing=worker.standing, unmarked=kept)
            yield f"marks {sorted(to_mark)}, request lost", with_worker(faulty_ledger(state), who, held), True
            lost = faulty_ledger(state)._replace(marks=marks)
            yield f"marks {sorted(to_mark)}, answer lost", with_worker(lost, who, held), True

    def _marked_as(self, worker: Worker) -> int:
        return 0 if self.setup.has(Bug.MARK_WITHOUT_GENERATION) else shared.generation(worker.standing)


def faulty_ledger(state: State) -> State:
    """A ledger that did not answer is no excuse for a repeat, as long as the process lives (I5)."""
    return state._replace(faults_left=state.faults_left - 1)
