"""The same job by several means: the ceiling, loops as teams write them, two peers, and the service in both modes.

`python -m tests.bench.carry_bench [--rounds N] [--only NAME...] [--json]`. Every round runs each contestant once, in
an order that turns, so that a slow minute falls on all; figures are ratios within a round. The two that are held
against each other run once before the first, unmeasured: the broker compiles its code while it runs. What is on the
topics is counted after every run. Writes .bench/carry.json and .bench/carry.svg. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.bench.carry.peers import NotInstalledError, python_with_peers
from tests.bench.carry.picture import drawn
from tests.bench.carry.race import Contestant, Run, Track, as_json, platform
from tests.bench.carry.results import BATCH_SIZE, RESULT_BYTES
from tests.bench.carry.tables import OUT, judged, machine, spelled
from tests.bench.carry.verdicts import (
    AGAIN,
    CEILING,
    GATHERED,
    HANDWRITTEN,
    LEAST,
    MQ_BRIDGE,
    ONCE,
    QUIX,
    Line,
    Round,
    lines,
    verdicts,
)
from tests.neighbours.choice import start_kafka, start_redis, what_ran

ROUNDS = 7
BATCHES = 160
"""Two seconds and more of the fastest: in one second a single pause of the broker is a tenth."""


def contestants(peers: str | None) -> list[Contestant]:
    """All of them; the slow ones carry less, which changes nothing in a figure per result."""
    ours = [
        Contestant(name=CEILING, module="ceiling", batches=BATCHES),
        Contestant(name=LEAST, delivery="at_least_once", batches=BATCHES),
        Contestant(name=ONCE, delivery="exactly_once", batches=BATCHES),
        Contestant(name=GATHERED, module="faststream_gathered", batches=16),
        Contestant(name=HANDWRITTEN, module="handwritten", batches=8),
        Contestant(name=AGAIN, module="ceiling", batches=BATCHES),
    ]
    if peers is None:
        return ours
    return [
        *ours,
        Contestant(name=MQ_BRIDGE, module="mq_bridge_route", batches=BATCHES // 2, python=peers),
        Contestant(name=QUIX, module="quix", batches=BATCHES, python=peers),
    ]


def main(argv: Sequence[str]) -> int:
    args = _arguments(argv)
    console = Console(stderr=True)
    try:
        peers = python_with_peers()
    except NotInstalledError as error:
        console.print(f"not measured: {error}", style="yellow")
        peers = None
    field = [each for each in contestants(peers) if not args.only or each.name in (*args.only, CEILING, AGAIN)]
    rounds = _measured(field, args.rounds, console)
    report = _report(rounds)
    OUT.mkdir(exist_ok=True)
    (OUT / "carry.json").write_text(json.dumps(report, indent=1))
    (OUT / "carry.svg").write_text(drawn(lines(rounds), _caption(report), report["machine"]))
    if args.json:
        print(json.dumps(report))
    else:
        _show(rounds, report)
    return 1 if any(verdict.met is False for verdict in verdicts(rounds)) else 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.carry_bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", nargs="*", help="contestants by name, beside the two runs of the ceiling")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def _measured(field: Sequence[Contestant], rounds: int, console: Console) -> list[Round]:
    done: list[Round] = []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with tempfile.TemporaryDirectory() as folder, Progress(*columns, console=console) as progress:
        kafka, redis = start_kafka(Path(folder)), start_redis(Path(folder))
        bar = progress.add_task("runs", total=rounds * len(field))
        try:
            with platform(BATCHES * BATCH_SIZE) as port:
                track = Track(platform_port=port, kafka=kafka, redis=redis)
                for contestant in (each for each in field if each.name in (CEILING, LEAST, ONCE)):
                    progress.update(bar, description=f"warm-up: {contestant.name}")
                    track.run(contestant)
                for turn in range(rounds):
                    ran: dict[str, Run] = {}
                    for contestant in (*field[turn % len(field) :], *field[: turn % len(field)]):
                        progress.update(bar, description=f"round {turn + 1}: {contestant.name}")
                        ran[contestant.name] = track.run(contestant)
                        progress.advance(bar)
                    done.append({each.name: ran[each.name] for each in field})
        finally:
            redis.stop()
            kafka.stop()
    return done


def _report(rounds: Sequence[Round]) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "make bench",
        "machine": machine(),
        "neighbours": what_ran(),
        "batch_size": BATCH_SIZE,
        "result_bytes": RESULT_BYTES,
        "rounds": [[as_json(run) for run in each.values()] for each in rounds],
        "lines": [asdict(line) for line in lines(rounds)],
        "verdicts": [asdict(verdict) for verdict in verdicts(rounds)],
    }


def _caption(report: dict[str, Any]) -> str:
    return (
        f"{report['date']} · batch {BATCH_SIZE}, {RESULT_BYTES // 1024} KB results, {report['neighbours']}, no"
        f" compression · {len(report['rounds'])} rounds"
    )


def _show(rounds: Sequence[Round], report: dict[str, Any]) -> None:
    console = Console(width=140)
    console.print(_caption(report))
    console.print(report["machine"])
    console.print(_table(lines(rounds)))
    console.print(judged(verdicts(rounds)))
    console.print(f"written: {OUT / 'carry.json'}, {OUT / 'carry.svg'}")


def _table(of: Sequence[Line]) -> Table:
    table = Table("contestant", "results/s", "of the ceiling", "CPU µs/result", "times the ceiling", "peak MB")
    for line in of:
        table.add_row(
            line.name,
            spelled(line.results_per_s, 0),
            spelled(line.throughput_ratio, 2),
            spelled(line.cpu_us, 1),
            spelled(line.cpu_ratio, 2),
            f"{line.rss_bytes / 1e6:.0f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
