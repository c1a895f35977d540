"""`python -m tests.model [--bug NAME]`: the protocol as a small machine, every state of it.

An owner and a zombie, a reset, kills, lost and late answers, a ledger that is flushed, in both modes; how many of each
is in the table of sizes. Prints the number of states and the verdict last; with a bug, how the shortest way to a broken
invariant goes.
"""

from __future__ import annotations

import argparse
import sys
import time

from bridge.domain.plan import DeliveryMode
from tests.model.search import searched
from tests.model.state import Bug, Setup

LARGE = (
    Setup(mode=DeliveryMode.EXACTLY_ONCE, faults=2, moves=2, resets=2),
    Setup(mode=DeliveryMode.EXACTLY_ONCE, faults=3, moves=1, resets=1, results=4),
    Setup(mode=DeliveryMode.AT_LEAST_ONCE, faults=1, moves=2, resets=1),
    Setup(mode=DeliveryMode.AT_LEAST_ONCE, faults=2, moves=0, resets=2),
)
SMALL = (
    Setup(mode=DeliveryMode.EXACTLY_ONCE, faults=2, moves=1, resets=1),
    Setup(mode=DeliveryMode.AT_LEAST_ONCE, faults=1, moves=1, resets=1),
)


def explore(bug: Bug | None) -> bool:
    """Whether every state of every setup held."""
    began_s = time.monotonic()
    states, broken = 0, 0
    for setup in LARGE if bug is None else [small.with_bug(bug) for small in SMALL]:
        found = searched(setup)
        states += found.states
        broken += bool(found.wrong)
        size = f"{setup.results} results, {setup.resets} resets, {setup.faults} faults, {setup.moves} take-overs"
        print(f"{setup.mode.value}, {size}: {found.states} states, {found.moves} steps", flush=True)
        if found.wrong:
            print(found.told())
    verdict = f"{broken} BROKEN" if broken else "every invariant holds in each, and each can be brought to its end"
    print(f"model: {states} states, {time.monotonic() - began_s:.0f} s: {verdict}", flush=True)
    return not broken


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--bug", choices=[bug.name.lower() for bug in Bug], help="plant one, and see it found")
    asked = parser.parse_args()
    return 0 if explore(Bug[asked.bug.upper()] if asked.bug else None) else 1


if __name__ == "__main__":
    sys.exit(main())
