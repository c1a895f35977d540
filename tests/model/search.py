"""Every state that can be reached, breadth first; the shortest way to one that must not be."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bridge.domain.standing import ResetPhase
from tests.model import shared
from tests.model.actions import Actions, Move, actions_of
from tests.model.state import Setup, Stage, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`trace` is empty where every state held: what happened, step by step, and what is wrong behind it."""

    states: int
    moves: int
    wrong: str = ""
    trace: Sequence[str] = ()

    def told(self) -> str:
        return "\n".join([*(f"{number:3} {step}" for number, step in enumerate(self.trace, 1)), f"    {self.wrong}"])


@dataclass(slots=True)
class Search:
    """Of one setup. States have numbers in the order in which they were found."""

    setup: Setup
    actions: Actions
    numbers: dict[State, int] = field(default_factory=dict)
    states: list[State] = field(default_factory=list)
    reached_by: list[tuple[int, str]] = field(default_factory=list)
    befores: list[list[int]] = field(default_factory=list)
    """Of each state, those that lead to it without a fault."""
    moves: int = 0

    def run(self) -> Found:
        wrong = self._add(self.setup.start(), (-1, "the beginning"))
        if wrong:
            return self._found(0, wrong)
        ahead = deque([0])
        while ahead:
            number = ahead.popleft()
            for move in self.actions.of(self.states[number]):
                self.moves += 1
                known = self.numbers.get(move.after)
                if known is None:
                    wrong = self._add(move.after, (number, move.name))
                    known = len(self.states) - 1
                    if wrong:
                        return self._found(known, wrong)
                    ahead.append(known)
                if not move.is_fault:
                    self.befores[known].append(number)
        return self._found_stuck()

    def _add(self, state: State, by: tuple[int, str]) -> str:
        self.numbers[state] = len(self.states)
        self.states.append(state)
        self.reached_by.append(by)
        self.befores.append([])
        return next(wrongs(self.setup, state), "")

    def _found_stuck(self) -> Found:
        """I7: from wherever it is, it gets done when nothing more goes wrong."""
        ahead = deque(number for number, state in enumerate(self.states) if is_done(self.setup, state))
        can_end = set(ahead)
        while ahead:
            for before in self.befores[ahead.popleft()]:
                if before not in can_end:
                    can_end.add(before)
                    ahead.append(before)
        stuck = next((number for number in range(len(self.states)) if number not in can_end), None)
        if stuck is not None:
            return self._found(stuck, "I7: from here it never gets done")
        return Found(states=len(self.states), moves=self.moves)

    def _found(self, number: int, wrong: str) -> Found:
        trace: list[str] = []
        while number > 0:
            number, name = self.reached_by[number]
            trace.append(name)
        return Found(states=len(self.states), moves=self.moves, wrong=wrong, trace=trace[::-1])


def wrongs(setup: Setup, state: State) -> Iterator[str]:
    """What is broken in a state."""
    generation = shared.generation(state.standing)
    start = setup.replay_from if generation else 0
    log = set(state.log)
    for place in range(start, state.position):
        if (generation, place) not in log:
            yield f"I1, I4: the position is behind {place} of generation {generation}, and no topic has it"
    if not state.marks <= log:
        yield f"I2: marked without a record: {sorted(state.marks - log)}"
    if len(log) < len(state.log) and (setup.is_once or state.is_clean):
        yield f"{'I4' if setup.is_once else 'I5'}: published twice: {list(state.log)}"
    firsts = list(dict.fromkeys(state.log))
    for each in {of for of, _ in firsts}:
        places = [place for of, place in firsts if of == each]
        if places != sorted(places):
            yield f"I9: out of order: {places} of generation {each}"
    resets = shared.standing(state.standing).resets
    begun = sum(reset.phase in (ResetPhase.REPLAYING, ResetPhase.DONE) for reset in resets)
    if begun != generation:
        yield f"I4, D4: generation {generation} after {begun} resets"


def is_done(setup: Setup, state: State) -> bool:
    """All delivered, every reset done, nothing under way."""
    owner = state.workers[state.owner]
    is_idle = owner.stage is Stage.IDLE and owner.standing == state.standing
    return is_idle and state.position == setup.results and shared.phase(state.standing) is None and state.late is None


def searched(setup: Setup) -> Found:
    """Everything a setup can come to."""
    return Search(setup, actions_of(setup)).run()


__all__ = ["Found", "Move", "searched"]
