"""Which schedules are tried: every single fault at every point, then pairs by chance."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random

from tests.prove.faults import Fault, Schedule
from tests.prove.run import Scenario, outcome_of

ANYWHERE = (Fault.STOP, Fault.ERROR)
LATE = tuple(fault for fault in Fault if fault.is_late)
FREEZES = tuple(fault for fault in Fault if fault.is_freeze)
TAKE_OVER_POINTS_MAX = 16
TAIL = 1.4
"""A run that was struck is longer: the second fault of a pair may lie beyond the end of a sound one."""


def faults_at(scenario: Scenario, step: str) -> tuple[Fault, ...]:
    """What can happen at a point."""
    faults: tuple[Fault, ...] = ANYWHERE
    if step == "fetch":
        faults += (Fault.REPEAT,)
    if step in ("advance", "reset"):
        faults += LATE
    if scenario is Scenario.TWO_PROCESSES:
        faults += FREEZES
    return faults


async def points_of(scenario: Scenario) -> list[str]:
    """The steps of a run in which nothing goes wrong."""
    sound = await outcome_of(scenario, {})
    assert not sound.why, sound.why
    return list(sound.trace)


def exhaustive(scenario: Scenario, trace: list[str]) -> Iterator[Schedule]:
    """Every fault at every point, one a run; and take-overs from a frozen process, struck everywhere."""
    for point, step in enumerate(trace):
        for fault in faults_at(scenario, step):
            yield {point: fault}
    if scenario is Scenario.TWO_PROCESSES:
        yield from struck_take_overs(trace)


def struck_take_overs(trace: list[str]) -> Iterator[Schedule]:
    """A process frozen before each commit, and an error at each point from there to the end of the take-over."""
    for point, step in enumerate(trace):
        if step == "commit":
            for freeze, behind in product(FREEZES, range(1, TAKE_OVER_POINTS_MAX)):
                yield {point: freeze, point + behind: Fault.ERROR}


def pairs(scenario: Scenario, trace: list[str], dice: Random) -> Iterator[Schedule]:
    """Two faults a run, for ever. A kind that does not fit the step it meets does nothing there.

    One process at most is frozen, and then none dies: a third is more than the model says anything about.
    """
    kinds = [*ANYWHERE * 4, Fault.REPEAT, *LATE]
    while True:
        first, second = sorted(dice.sample(range(int(len(trace) * TAIL)), 2))
        schedule = {first: dice.choice(kinds), second: dice.choice(kinds)}
        if scenario is Scenario.TWO_PROCESSES:
            schedule = {first: dice.choice([*FREEZES, Fault.ERROR]), second: dice.choice([Fault.ERROR, *LATE])}
        yield schedule
