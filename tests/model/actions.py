"""Everything that can happen next, in both modes: an owner and a zombie at work, and what befalls them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bridge.domain.replay import Step
from bridge.domain.standing import ResetPhase
from tests.model import shared
from tests.model.least import Least
from tests.model.once import Once
from tests.model.state import Bug, Setup, Stage, State, Worker, faulty, with_worker


class Move(NamedTuple):
    """One step of the world: in words, and where it leads. A fault is one that was not bound to happen."""

    name: str
    after: State
    is_fault: bool = False


@dataclass(slots=True)
class Actions:
    """Of a setup."""

    setup: Setup
    once: Once
    least: Least

    def of(self, state: State) -> Iterator[Move]:
        """What can happen in a state."""
        for who, worker in enumerate(state.workers):
            if worker.stage is not Stage.DEAD:
                yield from self._turn(state, who, worker)
        yield from self._outside(state)

    def _turn(self, state: State, who: int, worker: Worker) -> Iterator[Move]:
        name = f"{'owner' if who == state.owner else 'zombie'} {who}"
        mode = self.once if self.setup.is_once else self.least
        match worker.stage:
            case Stage.IDLE:
                yield from self._idle(state, who, worker, name)
            case Stage.WAS_RESET:
                yield from self._release(state, who, worker, name)
            case Stage.ADVANCING:
                yield from self._advance(state, who, worker, name)
            case _:
                for what, after, is_fault in mode.next(state, who, worker):
                    yield Move(f"{name}: {what}", after, is_fault)
        if state.faults_left:
            yield Move(f"{name}: SIGKILL", self._killed(state, who), is_fault=True)

    # A turn begins: a reset goes before a pass

    def _idle(self, state: State, who: int, worker: Worker, name: str) -> Iterator[Move]:
        match shared.step(worker.standing):
            case Step.HOLD:
                yield from self._save(state, who, worker, shared.holding(worker.standing), name)
            case Step.BEGIN:
                begun = shared.moved(worker.standing, ResetPhase.RESETTING)
                if self.setup.has(Bug.LET_GO_FIRST):
                    begun = shared.let_go(worker.standing)
                yield from self._save(state, who, worker, begun, name)
            case Step.RESET_PLATFORM:
                yield from self._reset(state, who, worker, name)
            case Step.NOTHING | Step.REPLAY:
                yield from self._fetch(state, who, worker, name)
            case Step.LEARN_POSITION | Step.TURN_BACK | Step.RETURN:
                raise AssertionError("of replays with an end, which are not asked for here")

    def _save(self, state: State, who: int, worker: Worker, to: int, name: str) -> Iterator[Move]:
        """Behind the guard of the store; a lost answer leaves it written down."""
        if who != state.owner and not self.setup.has(Bug.NO_LEASE):
            return
        what = f"{name}: writes down {phase_of(to)}"
        yield Move(what, with_worker(state, who, worker._replace(standing=to))._replace(standing=to))
        if state.faults_left:
            yield Move(f"{what}, answer lost", faulty(state)._replace(standing=to), is_fault=True)

    def _reset(self, state: State, who: int, worker: Worker, name: str) -> Iterator[Move]:
        if who != state.owner and not self.setup.has(Bug.NO_LEASE):
            return
        if state.late is not None and not self.setup.has(Bug.LATE_OVER_RESET):
            return
        there = state._replace(position=self.setup.replay_from)
        what = f"{name}: resets the platform to {self.setup.replay_from}"
        yield Move(what, with_worker(there, who, worker._replace(stage=Stage.WAS_RESET)))
        if state.faults_left:
            yield Move(f"{what}, answer lost", faulty(there), is_fault=True)

    def _release(self, state: State, who: int, worker: Worker, name: str) -> Iterator[Move]:
        to = shared.let_go(worker.standing)
        if self.setup.has(Bug.NOT_RAISED):
            to = shared.moved(worker.standing, ResetPhase.REPLAYING)
        idle = worker._replace(stage=Stage.IDLE)
        yield from self._save(with_worker(state, who, idle), who, idle, to, name)

    def _fetch(self, state: State, who: int, worker: Worker, name: str) -> Iterator[Move]:
        end = min(state.position + self.setup.batch_size, self.setup.results)
        if end > state.position:
            page = (state.position, end)
            fetched = worker._replace(stage=Stage.FETCHED, page=page)
            yield Move(f"{name}: fetches {page}", with_worker(state, who, fetched))
        elif shared.phase(worker.standing) is ResetPhase.REPLAYING:
            yield from self._save(state, who, worker, shared.caught_up(worker.standing), name)

    # It ends

    def _advance(self, state: State, who: int, worker: Worker, name: str) -> Iterator[Move]:
        """With leave that was given; the lease is longer than the request can last."""
        idle = worker._replace(stage=Stage.IDLE, page=(0, 0), to=0, done=frozenset(), acked=frozenset())
        there = state._replace(position=worker.to)
        what = f"{name}: advances to {worker.to}"
        yield Move(what, with_worker(there, who, idle._replace(unmarked=frozenset())))
        if state.faults_left:
            yield Move(f"{what}, answer lost", with_worker(faulty(there), who, idle), is_fault=True)
            yield Move(f"{what}, request lost", with_worker(faulty(state), who, idle), is_fault=True)
            if state.late is None:
                late = faulty(state)._replace(late=worker.to)
                yield Move(f"{what}, late", with_worker(late, who, idle), is_fault=True)

    # What is done to them

    def _outside(self, state: State) -> Iterator[Move]:
        if state.late is not None:
            yield Move(f"late: advanced to {state.late}", state._replace(position=state.late, late=None))
        if state.commit is not None:
            yield Move(f"late: committed {state.commit.page}", self.once.landed(state))
        if state.marks and state.faults_left:
            yield Move("the ledger is flushed", faulty(state)._replace(marks=frozenset()), is_fault=True)
        if state.moves_left and self._may_move(state):
            yield Move(f"{1 - state.owner} takes over, {state.owner} sleeps on", self._moved(state), is_fault=True)
        if state.resets_left and shared.phase(state.standing) is None:
            yield from self._wished(state)

    def _wished(self, state: State) -> Iterator[Move]:
        """Written down by the owner itself, between two steps of its own."""
        worker = state.workers[state.owner]
        if worker.standing == state.standing and state.position > self.setup.replay_from:
            to = shared.asked(state.standing)
            after = with_worker(state, state.owner, worker._replace(standing=to))
            yield Move("operator: asks for a reset", after._replace(standing=to, resets_left=state.resets_left - 1))

    def _may_move(self, state: State) -> bool:
        """What had leave to move the position has ended, or never will arrive, before anybody else is let in."""
        busy = state.workers[state.owner].stage in (Stage.ADVANCING, Stage.WAS_RESET)
        return self.setup.has(Bug.NO_LEASE) or not (busy or state.late is not None)

    def _moved(self, state: State) -> State:
        new = 1 - state.owner
        there = with_worker(state, new, Worker(standing=state.standing))
        return there._replace(owner=new, moves_left=state.moves_left - 1, is_clean=False)

    def _killed(self, state: State, who: int) -> State:
        """The owner starts again with what is outside; a zombie does not."""
        fresh = Worker(standing=state.standing) if who == state.owner else Worker(stage=Stage.DEAD)
        return with_worker(faulty(state), who, fresh)


def actions_of(setup: Setup) -> Actions:
    return Actions(setup, Once(setup), Least(setup))


def phase_of(standing: int) -> str:
    phase = shared.phase(standing)
    return f"{phase.value if phase else 'done'}, generation {shared.generation(standing)}"
