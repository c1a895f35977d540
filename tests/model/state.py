"""What the model knows of the world, in the code's own words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import NamedTuple

from bridge.domain.plan import DeliveryMode
from tests.model.shared import FIRST, NOTHING, Page


class Stage(StrEnum):
    """How far a worker is in its turn."""

    IDLE = "idle"
    WAS_RESET = "was_reset"
    """The platform is reset, and it is not written down yet."""
    FETCHED = "fetched"
    INITIALISED = "initialised"
    """exactly_once: the former owner is shut out, the position not read yet."""
    SKIPPED = "skipped"
    """at_least_once: the ledger has said what is marked."""
    PUBLISHING = "publishing"
    """It had leave to send: a transaction is open, or the records are on their way."""
    ACKED = "acked"
    HELD = "held"
    """Not all was acked; what may be marked is still to be marked."""
    ADVANCING = "advancing"
    """It had leave to advance."""
    DEAD = "dead"


class Worker(NamedTuple):
    """One process's worker. `tenure` is the number of the position it knows, -1 where it has not taken over, and
    `tenure_of` the generation that it was taken over in."""

    stage: Stage = Stage.IDLE
    standing: int = FIRST
    page: Page = (0, 0)
    tenure: int = -1
    tenure_of: int = 0
    is_fenced: bool = True
    """Another one has initialised a producer since."""
    to: int = 0
    done: frozenset[int] = frozenset()
    acked: frozenset[int] = frozenset()
    unmarked: frozenset[tuple[int, int]] = frozenset()


class Commit(NamedTuple):
    """The end of a transaction that is under way to the broker."""

    generation: int
    page: Page
    after: int


class State(NamedTuple):
    """`log` holds (generation, result), `late` where to an advance will move that timed out and will still arrive."""

    workers: tuple[Worker, Worker] = (Worker(), Worker(stage=Stage.DEAD))
    owner: int = 0
    position: int = 0
    late: int | None = None
    log: tuple[tuple[int, int], ...] = ()
    recorded: int = NOTHING
    commit: Commit | None = None
    marks: frozenset[tuple[int, int]] = frozenset()
    standing: int = FIRST
    resets_left: int = 0
    faults_left: int = 0
    moves_left: int = 0
    is_clean: bool = True
    """No fault and no take-over yet: no repeat has an excuse."""


def with_worker(state: State, who: int, worker: Worker) -> State:
    workers = (worker, state.workers[1]) if who == 0 else (state.workers[0], worker)
    return state._replace(workers=workers)


def faulty(state: State) -> State:
    return state._replace(faults_left=state.faults_left - 1, is_clean=False)


class Bug(Enum):
    """Mistakes the search has to find."""

    ADVANCE_FIRST = "advanced before the commit or the ack"
    MARK_FIRST = "marked before the ack"
    REUSED_PRODUCER = "a producer reused after a commit in doubt"
    READ_FIRST = "the position read before the fencing"
    NO_FENCING = "no fencing"
    ANY_GENERATION = "a record of the generation before obeyed"
    BY_TIME = "sequence ids compared by time"
    UNKNOWN_IS_ACKED = "an unknown receipt taken for an ack"
    MARK_WITHOUT_GENERATION = "a mark without its generation"
    LET_GO_FIRST = "the worker let go before the platform is reset"
    NOT_RAISED = "a replay in the old generation"
    UNREMEMBERED = "acks forgotten that could not be marked"
    NO_LEASE = "an advance by one who may have lost the trigger"
    LATE_OVER_RESET = "a reset while an advance is still under way"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How large the world is, and what is wrong with it. `replay_from` is where each reset goes back to."""

    mode: DeliveryMode
    results: int = 3
    batch_size: int = 2
    resets: int = 1
    replay_from: int = 1
    faults: int = 1
    moves: int = 1
    bug: Bug | None = None

    def has(self, bug: Bug) -> bool:
        return self.bug is bug

    @property
    def is_once(self) -> bool:
        return self.mode is DeliveryMode.EXACTLY_ONCE

    def start(self) -> State:
        return State(resets_left=self.resets, faults_left=self.faults, moves_left=self.moves)

    def with_bug(self, bug: Bug) -> Setup:
        return replace(self, bug=bug)
