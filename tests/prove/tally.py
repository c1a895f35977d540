"""Schedules by the thousand, tried on several processes, and what came of them."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from random import Random

from tests.history.verdict import Figures
from tests.prove.explore import exhaustive, pairs, points_of
from tests.prove.faults import Fault, Schedule
from tests.prove.run import Outcome, Scenario, outcome_of

CHUNK = 100
PAIRS_EACH = 300
VITAL = frozenset({Fault.STOP, Fault.ERROR})

Case = tuple[Scenario, Schedule]


@dataclass(slots=True)
class Tally:
    """What was tried and what came of it."""

    tried: int = 0
    figures: Figures = field(default_factory=Figures)
    kinds: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.tried += other.tried
        self.figures += other.figures
        self.kinds += other.kinds
        self.failures += other.failures


def cases(wanted: int, seed: int) -> Iterator[Case]:
    """The exhaustive ones of every scenario, then pairs in turn."""
    tried = 0
    by_chance = []
    for scenario in Scenario:
        trace = asyncio.run(points_of(scenario))
        by_chance.append((scenario, pairs(scenario, trace, Random(seed))))
        single = list(exhaustive(scenario, trace))
        print(f"{scenario.value}: {len(trace)} points in a run without a fault, {len(single)} schedules", flush=True)
        yield from ((scenario, schedule) for schedule in single)
        tried += len(single)
    print(f"{tried} exhaustively (single faults, struck take-overs), then pairs by seed {seed}", flush=True)
    for scenario, chosen in itertools.islice(itertools.cycle(by_chance), max(0, wanted - tried)):
        yield scenario, next(chosen)


def fewer(wanted: int, seed: int) -> Iterator[Case]:
    """Of the exhaustive ones every stop and every error, some of the others, and some pairs; by the seed."""
    dice = Random(seed)
    vital: list[Case] = []
    others: list[Case] = []
    for scenario in Scenario:
        trace = asyncio.run(points_of(scenario))
        for schedule in exhaustive(scenario, trace):
            is_vital = len(schedule) == 1 and set(schedule.values()) <= VITAL
            (vital if is_vital else others).append((scenario, schedule))
        others += [(scenario, each) for each in itertools.islice(pairs(scenario, trace, dice), PAIRS_EACH)]
    yield from vital
    yield from dice.sample(others, max(0, wanted - len(vital)))


def tried(chunk: Iterable[Case]) -> Tally:
    """Some of them, in this process."""
    return asyncio.run(_tried(chunk))


async def _tried(chunk: Iterable[Case]) -> Tally:
    tally = Tally()
    for scenario, schedule in chunk:
        outcome = await outcome_of(scenario, schedule)
        tally.tried += 1
        tally.kinds.update(fault.value for fault in schedule.values())
        if outcome.why:
            tally.failures.append(outcome)
        elif outcome.verdict is not None:
            tally.figures += outcome.verdict.figures
    return tally


def tallies(chunks: Iterable[list[Case]], jobs: int) -> Iterator[Tally]:
    """As they are done; a few chunks for each process are under way, however many there are."""
    if jobs == 1:
        yield from map(tried, chunks)
        return
    with ProcessPoolExecutor(jobs, get_context("forkserver")) as processes:
        ahead: list[Future[Tally]] = []
        for chunk in chunks:
            ahead.append(processes.submit(tried, chunk))
            if len(ahead) > 2 * jobs:
                yield ahead.pop(0).result()
        yield from (each.result() for each in ahead)


def in_chunks(ordered: Iterator[Case]) -> Iterator[list[Case]]:
    """As much as is handed to a process at a time."""
    return iter(lambda: list(itertools.islice(ordered, CHUNK)), [])
