"""`python -m tests.prove [--schedules N] [--seed S] [--only SCENARIO:SCHEDULE]`: every crash point of exactly_once.

All single faults at every await of the engine, then pairs by the seed until N schedules are tried. Prints the number of
schedules and the verdict last; exit 1 when a schedule lost or repeated something, with the words that replay it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

from tests.history.verdict import Figures
from tests.prove.explore import exhaustive, pairs, points_of
from tests.prove.faults import Schedule, read, spelled
from tests.prove.run import Outcome, Scenario, outcome_of

SCHEDULES_DEFAULT = 5_000
FAILURES_SHOWN_MAX = 5
TOLD_EVERY = 1_000


async def schedules(wanted: int, seed: int) -> AsyncIterator[tuple[Scenario, Schedule]]:
    """The exhaustive ones of every scenario, then pairs in turn."""
    tried = 0
    by_chance = []
    for scenario in Scenario:
        trace = await points_of(scenario)
        print(f"{scenario.value}: {len(trace)} points in a run without a fault")
        by_chance.append((scenario, pairs(scenario, trace, Random(seed))))
        for schedule in exhaustive(scenario, trace):
            yield scenario, schedule
            tried += 1
    print(f"{tried} exhaustively (single faults, struck take-overs), then pairs by seed {seed}")
    for scenario, chosen in itertools.cycle(by_chance):
        if tried >= wanted:
            return
        yield scenario, next(chosen)
        tried += 1


async def prove(wanted: int, seed: int) -> bool:
    """Whether every schedule held."""
    began_s = time.monotonic()
    tried, figures = 0, Figures()
    kinds: Counter[str] = Counter()
    failures: list[Outcome] = []
    async for scenario, schedule in schedules(wanted, seed):
        outcome = await outcome_of(scenario, schedule)
        tried += 1
        kinds.update(fault.value for fault in schedule.values())
        if outcome.why:
            failures.append(outcome)
            tell(outcome, len(failures))
        elif outcome.verdict is not None:
            figures += outcome.verdict.figures
        if tried % TOLD_EVERY == 0:
            print(f"{tried} schedules, {len(failures)} failures, {time.monotonic() - began_s:.0f} s", flush=True)
    print(f"faults: {', '.join(f'{kind} {count}' for kind, count in sorted(kinds.items()))}")
    print(f"{figures.first_deliveries} records delivered in {figures.advances} advances and {figures.resets} resets")
    verdict = f"{len(failures)} BROKEN" if failures else "0 lost, 0 duplicates"
    print(f"{tried} schedules tried, seed {seed}, {time.monotonic() - began_s:.0f} s: {verdict}")
    return not failures


def tell(outcome: Outcome, number: int) -> None:
    """How to see it again."""
    if number <= FAILURES_SHOWN_MAX:
        print(f"BROKEN --only {outcome.scenario.value}:{spelled(outcome.schedule)}\n{outcome.why}", flush=True)


async def replay(text: str) -> bool:
    """One schedule, with its steps."""
    scenario, _, schedule = text.partition(":")
    outcome = await outcome_of(Scenario(scenario), read(schedule))
    for point, step in enumerate(outcome.trace):
        fault = outcome.schedule.get(point)
        print(f"{point:4} {step}" + (f"   <- {fault.value}" if fault else ""))
    print(outcome.why or "0 lost, 0 duplicates")
    return not outcome.why


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    parser.add_argument(
        "--schedules", type=int, default=SCHEDULES_DEFAULT, help="how many to try, the exhaustive ones at least"
    )
    parser.add_argument("--seed", type=int, default=20261122, help="of the pairs")
    parser.add_argument("--only", metavar="SCENARIO:SCHEDULE", help="one schedule, as a failure spells it")
    asked = parser.parse_args()
    held = asyncio.run(replay(asked.only) if asked.only else prove(asked.schedules, asked.seed))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
