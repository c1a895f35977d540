"""`python -m tests.prove [--schedules N] [--seed S] [--jobs J] [--only SCENARIO:SCHEDULE]`: every crash point.

Both modes of delivery: all single faults at every await of the engine, then pairs by the seed until N schedules are
tried. Prints the number of schedules and the verdict last; exit 1 when a schedule broke an invariant, with the words
that replay it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time

from tests.prove.faults import read, spelled
from tests.prove.run import Outcome, Scenario, outcome_of
from tests.prove.tally import Tally, cases, in_chunks, tallies

SCHEDULES_DEFAULT = 7_500
FAILURES_SHOWN_MAX = 5
TOLD_EVERY_S = 10.0


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
