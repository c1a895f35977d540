"""The turns of exactly_once: take over, skip what is committed, commit with the position."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model import shared
from tests.model.state import Bug, Commit, Setup, Stage, State, Worker, faulty, with_worker

Next = tuple[str, State, bool]
"""What happens in words, where it leads, and whether it is a fault."""


@dataclass(slots=True)
class Once:
    """Behind the guard as a worker is: nothing new is begun by who is not the owner."""

    setup: Setup

    def next(self, state: State, who: int, worker: Worker) -> Iterator[Next]:
        """The steps of a worker between fetch and advance."""
        may_begin = who == state.owner or self.setup.has(Bug.NO_LEASE)
        match worker.stage:
            case Stage.FETCHED if worker.tenure < 0 or worker.tenure_of != shared.generation(worker.standing):
                if may_begin:
                    yield self._steps[0], self._initialised(state, who, worker), False
            case Stage.FETCHED:
                if may_begin:
                    yield from self._skip_or_begin(state, who, worker)
            case Stage.INITIALISED:
                yield self._steps[1], self._read(state, who, worker), False
            case Stage.PUBLISHING:
                yield from self._commit(state, who, worker)
            case Stage.ACKED:
                if may_begin:
                    yield "has leave to advance", self._leave(state, who, worker), False
            case _:
                raise AssertionError(worker.stage)

    def landed(self, state: State) -> State:
        """A commit that was on its way arrives; its producer is not shut out yet."""
        commit = state.commit
        assert commit is not None
        return appended(state, commit.generation, commit.page)._replace(recorded=commit.after, commit=None)

    @property
    def _steps(self) -> tuple[str, str]:
        right = ("shuts the others out", "reads the position")
        return (right[1], right[0]) if self.setup.has(Bug.READ_FIRST) else right

    def _initialised(self, state: State, who: int, worker: Worker) -> State:
        """By mistake it reads here already."""
        if self.setup.has(Bug.READ_FIRST):
            return with_worker(state, who, worker._replace(stage=Stage.INITIALISED, tenure=self._known(state, worker)))
        return self._fenced(state, who, worker._replace(stage=Stage.INITIALISED))

    def _fenced(self, state: State, who: int, worker: Worker) -> State:
        """What others left open is aborted, and what is on its way from them refused."""
        mine = with_worker(state, who, worker._replace(is_fenced=False))
        if self.setup.has(Bug.NO_FENCING):
            return mine
        other = state.workers[1 - who]._replace(is_fenced=True)
        return with_worker(mine, 1 - who, other)._replace(commit=None)

    def _read(self, state: State, who: int, worker: Worker) -> State:
        """Then it fetches again, as the owner. One that has to refuse knows nothing."""
        owned = worker._replace(stage=Stage.IDLE, tenure_of=shared.generation(worker.standing), page=(0, 0))
        if self.setup.has(Bug.READ_FIRST):
            return self._fenced(state, who, owned)
        return with_worker(state, who, owned._replace(tenure=self._known(state, worker)))

    def _known(self, state: State, worker: Worker) -> int:
        if self.setup.has(Bug.ANY_GENERATION):
            return state.recorded
        known = shared.taken_over(state.recorded, shared.generation(worker.standing))
        return -1 if known is None else known

    def _skip_or_begin(self, state: State, who: int, worker: Worker) -> Iterator[Next]:
        upto = shared.committed_upto(worker.page, worker.tenure)
        if self.setup.has(Bug.BY_TIME) and worker.tenure != shared.NOTHING:
            upto = worker.page[1]  # all of one upload
        if upto is not None:
            yield "skips what is committed", with_worker(state, who, worker._replace(stage=Stage.ACKED, to=upto)), False
        elif self.setup.has(Bug.ADVANCE_FIRST):
            ahead = state._replace(position=worker.page[1])
            yield "advances first", with_worker(ahead, who, worker._replace(stage=Stage.PUBLISHING)), False
        else:
            yield "begins a transaction", with_worker(state, who, worker._replace(stage=Stage.PUBLISHING)), False

    def _commit(self, state: State, who: int, worker: Worker) -> Iterator[Next]:
        lost = worker._replace(stage=Stage.IDLE, page=(0, 0), tenure=-1, tenure_of=0)
        if worker.is_fenced:
            yield "is refused: shut out", with_worker(state, who, lost), False
            return
        generation = shared.generation(worker.standing)
        after = shared.recorded_after(worker.page, generation, worker.tenure)
        there = appended(state, generation, worker.page)._replace(recorded=after)
        done = worker._replace(stage=Stage.ACKED, to=worker.page[1], tenure=after)
        what = f"commits {worker.page} in generation {generation}"
        yield what, with_worker(there, who, done), False
        if state.faults_left:
            if self.setup.has(Bug.REUSED_PRODUCER):
                lost = lost._replace(tenure=worker.tenure, tenure_of=worker.tenure_of)
            yield f"{what}, answer lost", with_worker(faulty(there), who, lost), True
            yield f"{what}, aborted", with_worker(faulty(state), who, lost), True
            if state.commit is None:
                late = faulty(state)._replace(commit=Commit(generation, worker.page, after))
                yield f"{what}, late", with_worker(late, who, lost), True
                yield f"{what}, late, and is killed", with_worker(late, who, self._killed(state, who)), True

    def _leave(self, state: State, who: int, worker: Worker) -> State:
        return with_worker(state, who, worker._replace(stage=Stage.ADVANCING))

    def _killed(self, state: State, who: int) -> Worker:
        return Worker(standing=state.standing) if who == state.owner else Worker(stage=Stage.DEAD)


def appended(state: State, generation: int, page: shared.Page) -> State:
    """To the log, in the trigger's order."""
    return state._replace(log=(*state.log, *((generation, place) for place in range(*page))))
