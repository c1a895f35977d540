"""Which schedules are tried: every single fault at every point, then pairs by chance."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random

from tests.prove.faults import Fault, Schedule
from tests.prove.run import Scenario, outcome_of

ANYWHERE = (Fault.STOP, Fault.ERROR, Fault.DELAY)
LATE = tuple(fault for fault in Fault if fault.is_late)
FREEZES = tuple(fault for fault in Fault if fault.is_freeze)
STRAGGLERS = tuple(fault for fault in Fault if fault.is_straggler)
OUTAGES = tuple(fault for fault in Fault if fault.is_outage)
AT = {
    "fetch": (Fault.REPEAT,),
    "advance": (Fault.REPEAT, *LATE),
    "reset": (Fault.REPEAT, *LATE),
}
AT_LEAST = {
    "append": (Fault.REFUSE, Fault.LOSE, *LATE, *STRAGGLERS),
    "mark": LATE,
    "marked?": OUTAGES,
    "answers": OUTAGES,
}
"""Also, where a record goes without a transaction. In one, the broker takes a record or the transaction fails."""
TAKE_OVER_POINTS_MAX = 16
BEFORE_A_RESET_POINTS = 12
FROZEN_SHARE = 0.6
TAIL = 1.4
"""A run that was struck is longer: the second fault of a pair may lie beyond the end of a sound one."""


def faults_at(scenario: Scenario, step: str) -> tuple[Fault, ...]:
    """What can happen at a point."""
    faults = ANYWHERE + AT.get(step, ())
    if not scenario.is_once:
        faults += (Fault.FLUSH, *(AT_LEAST.get(step, ())))
    if scenario.has_two:
        faults += FREEZES
    return faults


async def points_of(scenario: Scenario) -> list[str]:
    """The steps of a run in which nothing goes wrong."""
    sound = await outcome_of(scenario, {})
    assert not sound.why, sound.why
    return list(sound.trace)


def exhaustive(scenario: Scenario, trace: list[str]) -> Iterator[Schedule]:
    """Every fault at every point, one a run; and take-overs from a frozen process, struck everywhere.

    Runs with windows begin as those with resets do: they are struck from shortly before their first reset on.
    """
    begun = max(0, trace.index("reset") - BEFORE_A_RESET_POINTS) if scenario.has_window else 0
    for point, step in enumerate(trace[begun:], begun):
        for fault in faults_at(scenario, step):
            yield {point: fault}
    if scenario is Scenario.ONCE_TWO:
        yield from struck_take_overs(trace)


def struck_take_overs(trace: list[str]) -> Iterator[Schedule]:
    """A process frozen before each commit, and an error at each point from there to the end of the take-over."""
    for point, step in enumerate(trace):
        if step == "commit":
            for freeze, behind in product(FREEZES, range(1, TAKE_OVER_POINTS_MAX)):
                yield {point: freeze, point + behind: Fault.ERROR}


def pairs(scenario: Scenario, trace: list[str], dice: Random) -> Iterator[Schedule]:
    """Two faults a run, for ever. One that does nothing at the step it would meet strikes the next it fits.

    One process at most is frozen; another, or the same, may die then.
    """
    places = {fault: [at for at, step in enumerate(trace) if fault in faults_at(scenario, step)] for fault in Fault}
    kinds = [fault for fault, found in places.items() if found and not fault.is_freeze]
    while True:
        first, second = sorted(dice.sample(range(int(len(trace) * TAIL)), 2))
        schedule = {first: dice.choice(kinds), second: dice.choice(kinds)}
        if scenario.has_two and dice.random() < FROZEN_SHARE:
            schedule[first] = dice.choice(FREEZES)
        yield fitted(schedule, places)


def fitted(schedule: Schedule, places: dict[Fault, list[int]]) -> Schedule:
    """Each fault moved to the next point where it can do something in a sound run; a guess for the second one."""
    return {next((at for at in places[fault] if at >= point), point): fault for point, fault in schedule.items()}
