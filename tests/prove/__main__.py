"""`python -m tests.prove [--schedules N] [--seed S] [--jobs J] [--only SCENARIO:SCHEDULE]`: every crash point.

Both modes of delivery: all single faults at every await of the engine, then pairs by the seed until N schedules are
tried. Prints the number of schedules and the verdict last; exit 1 when a schedule broke an invariant, with the words
that replay it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from random import Random

from tests.history.verdict import Figures
from tests.prove.explore import exhaustive, pairs, points_of
from tests.prove.faults import Schedule, read, spelled
from tests.prove.run import Outcome, Scenario, outcome_of

SCHEDULES_DEFAULT = 7_500
FAILURES_SHOWN_MAX = 5
CHUNK = 100
TOLD_EVERY_S = 10.0

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


def prove(wanted: int, seed: int, jobs: int) -> bool:
    """Whether every schedule held."""
    began_s = told_s = time.monotonic()
    total = Tally()
    for tally in tallies(in_chunks(cases(wanted, seed)), jobs):
        for failure in tally.failures:
            tell(failure, len(total.failures))
        total.add(tally)
        if time.monotonic() - told_s > TOLD_EVERY_S:
            told_s = time.monotonic()
            took_s = told_s - began_s
            print(f"{total.tried} schedules, {len(total.failures)} broken, {took_s:.0f} s", flush=True)
    print(f"faults: {', '.join(f'{kind} {count}' for kind, count in sorted(total.kinds.items()))}")
    figures = total.figures
    print(f"{figures.first_deliveries} records delivered in {figures.advances} advances and {figures.resets} resets")
    print(f"repeats in at_least_once, by cause: {dict(figures.duplicates)}")
    verdict = f"{len(total.failures)} BROKEN" if total.failures else "0 lost, 0 repeats without a cause"
    print(f"{total.tried} schedules tried, seed {seed}, {time.monotonic() - began_s:.0f} s: {verdict}")
    return not total.failures


def tell(outcome: Outcome, before: int) -> None:
    """How to see it again."""
    if before < FAILURES_SHOWN_MAX:
        print(f"BROKEN --only {outcome.scenario.value}:{spelled(outcome.schedule)}\n{outcome.why}", flush=True)


def replay(text: str) -> bool:
    """One schedule, with its steps."""
    scenario, _, schedule = text.partition(":")
    outcome = asyncio.run(outcome_of(Scenario(scenario), read(schedule)))
    for point, step in enumerate(outcome.trace):
        fault = outcome.schedule.get(point)
        print(f"{point:4} {step}" + (f"   <- {fault.value}" if fault else ""))
    print(outcome.why or "0 lost, 0 repeats without a cause")
    return not outcome.why


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    parser.add_argument(
        "--schedules", type=int, default=SCHEDULES_DEFAULT, help="how many to try, the exhaustive ones at least"
    )
    parser.add_argument("--seed", type=int, default=20261122, help="of the pairs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--only", metavar="SCENARIO:SCHEDULE", help="one schedule, as a failure spells it")
    asked = parser.parse_args()
    held = replay(asked.only) if asked.only else prove(asked.schedules, asked.seed, asked.jobs)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
