"""What all benches say alike: on which machine, how a figure is spelled, and the verdicts."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.carry.verdicts import Spread, Verdict
from tests.neighbours.choice import what_ran

OUT = Path(".bench")


def tell(bench: str, verdicts: Sequence[Verdict], *, as_json: bool) -> int:
    """To the terminal and to a file under .bench; the exit code, 1 where a target is missed."""
    report = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "neighbours": what_ran(),
        "verdicts": [asdict(verdict) for verdict in verdicts],
    }
    OUT.mkdir(exist_ok=True)
    (OUT / f"{bench}.json").write_text(json.dumps(report, indent=1))
    if as_json:
        print(json.dumps(report))
    else:
        console = Console(width=140)
        console.print(f"{report['date']}, {report['neighbours']}, {report['machine']}")
        console.print(judged(verdicts))
    return 1 if any(verdict.met is False for verdict in verdicts) else 0


def tell_steps(cpu_us: Mapping[str, float], *, as_json: bool) -> None:
    """CPU of a result by step, to the terminal."""
    if as_json:
        print(json.dumps({"machine": machine(), "cpu_us_per_result": cpu_us}))
        return
    table = Table("step", "CPU µs/result")
    for name, figure in cpu_us.items():
        table.add_row(name, f"{figure:.2f}")
    console = Console(width=140)
    console.print(machine())
    console.print(table)


def machine() -> str:
    """The one that this runs on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    cpu = next(models, platform.machine())
    return f"{os.cpu_count()} cores of {cpu}, Python {platform.python_version()}, Linux {platform.release()}"


def judged(of: Sequence[Verdict], digits: int = 2) -> Table:
    """The targets, each with its figure and its verdict."""
    table = Table("target", "median [low to high]", "verdict")
    for verdict in of:
        unjudged = "" if verdict.measured else "not measured"
        said = unjudged if verdict.met is None else "met" if verdict.met else "MISSED"
        table.add_row(verdict.target, spelled(verdict.measured, digits) if verdict.measured else "", said)
    return table


def spelled(spread: Spread, digits: int) -> str:
    """Of one figure: its median and how far apart the rounds lie."""
    return f"{spread.median:,.{digits}f} [{spread.low:,.{digits}f} to {spread.high:,.{digits}f}]"
