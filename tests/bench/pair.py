"""Two or more working trees of the service side by side: what a change does to CPU per result.

`python -m tests.bench.pair TREE... [--rounds N] [--delivery MODE]`, for instance two checkouts. They do the same job in
turn, forwards and backwards; the first tree is what the others are held against, round by round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.carry.race import Contestant, Track, platform
from tests.bench.carry.results import BATCH_SIZE
from tests.bench.carry.tables import machine, spelled
from tests.bench.carry.verdicts import Spread
from tests.neighbours.choice import start_kafka, start_redis, what_ran

ROUNDS = 5
BATCHES = 40


def environ_of(tree: Path) -> dict[str, str]:
    """What has a process import from that tree. Without the safe path the current directory would come first."""
    return {"PYTHONPATH": str(tree.resolve()), "PYTHONSAFEPATH": "1"}


def measured(trees: Sequence[Path], rounds: int, delivery: str) -> list[list[float]]:
    """CPU microseconds of a result, by tree and round."""
    field = [
        Contestant(
            name=f"tree {place}",
            delivery=delivery,
            batches=BATCHES,
            environ=environ_of(tree),
        )
        for place, tree in enumerate(trees)
    ]
    taken_us: dict[str, list[float]] = {each.name: [] for each in field}
    with tempfile.TemporaryDirectory() as folder:
        kafka, redis = start_kafka(Path(folder)), start_redis(Path(folder))
        try:
            with platform(BATCHES * BATCH_SIZE) as port:
                track = Track(platform_port=port, kafka=kafka, redis=redis)
                for turn in range(rounds):
                    for each in field if turn % 2 == 0 else reversed(field):
                        taken_us[each.name].append(track.run(each).cpu_us)
        finally:
            redis.stop()
            kafka.stop()
    return list(taken_us.values())


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pair", description=__doc__)
    parser.add_argument("trees", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--delivery", default="at_least_once")
    args = parser.parse_args(argv)
    by_tree = measured(args.trees, args.rounds, args.delivery)
    table = Table("tree", "CPU µs/result", "against the first", "least")
    for tree, taken_us in zip(args.trees, by_tree, strict=True):
        apart = [one - other for one, other in zip(taken_us, by_tree[0], strict=True)]
        table.add_row(
            str(tree),
            spelled(Spread.of(taken_us), 1),
            f"{median(apart):+.1f} [{min(apart):+.1f} to {max(apart):+.1f}]",
            f"{min(taken_us):.1f}",
        )
    console = Console(width=140)
    console.print(f"{what_ran()}, {machine()}, {args.rounds} rounds of {BATCHES} batches of {BATCH_SIZE}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
