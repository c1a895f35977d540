"""Where the service's CPU goes under the load of the carry bench: a flame graph, and a table by component.

`python -m tests.bench.flame [--delivery MODE] [--runs N]`. A sampling profiler (py-spy) looks at the running process
from outside, from the end of the warm-up on; the CPU of a result, taken as in the comparison, is shared out by samples.
A pass by the wall clock comes from the service's own metrics. Writes .bench/flame-MODE.svg and .json.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
from rich.console import Console
from rich.table import Table
from typing_extensions import override

from tests.bench.carry.platform import PREPARED_MAX
from tests.bench.carry.race import POLL_S, RUN_TIMEOUT_S, Contestant, Track, platform
from tests.bench.carry.results import BATCH_SIZE
from tests.bench.carry.stacks import Stack, by_component, drawn, parsed
from tests.bench.carry.tables import OUT, machine
from tests.neighbours.choice import start_kafka, start_redis, what_ran
from tests.neighbours.process import free_port

RATE_HZ = 400
RUNS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedTrack(Track):
    """Asks the service at the end how long its steps took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @override
    def _ended(self, platform: httpx.Client, process: subprocess.Popen[bytes]) -> Mapping[str, tuple[float, int]]:
        # Named, since a class with slots is made anew and loses the bare form.
        marks = super(TimedTrack, self)._ended(platform, process)
        told = httpx.get(f"http://127.0.0.1:{self.admin_port}/metrics", trust_env=False).text
        for step, seconds in re.findall(r'^bridge_batch_seconds_sum\{.*?step="(\w+)".*?\} (\S+)$', told, re.MULTILINE):
            self.seconds[step] = self.seconds.get(step, 0.0) + float(seconds)
        return marks


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfiledTrack(Track):
    """Has every run looked at, from its warm-up to its end."""

    raw: Path

    @override
    def _ended(self, platform: httpx.Client, process: subprocess.Popen[bytes]) -> Mapping[str, tuple[float, int]]:
        _wait_for_warm(platform)
        command = ["py-spy", "record", "--function", "--format", "raw", "--rate", str(RATE_HZ), "--duration", "600"]
        profiler = subprocess.Popen(
            [*command, "--pid", str(process.pid), "--output", str(self.raw)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return super(ProfiledTrack, self)._ended(platform, process)
        finally:
            profiler.send_signal(signal.SIGINT)
            profiler.wait()


def _wait_for_warm(platform: httpx.Client) -> None:
    give_up_s = time.monotonic() + RUN_TIMEOUT_S
    while not platform.get("/watch").json()["marks"]:
        if time.monotonic() > give_up_s:
            raise TimeoutError("the service did not get warm")
        time.sleep(POLL_S)


@dataclass(slots=True)
class Found:
    """`cpu_us` of a result in each run, `stacks` of all profiled ones, `wall_ms` of a pass by step, in those that are
    not: the profiler stops the process to look at it."""

    cpu_us: list[float] = field(default_factory=list)
    stacks: Counter[Stack] = field(default_factory=Counter)
    wall_ms: dict[str, float] = field(default_factory=dict)


def measured(delivery: str, runs: int) -> Found:
    """One run with a stop-watch alone, then so many with the profiler."""
    service = Contestant(name="bridge", delivery=delivery, batches=PREPARED_MAX // BATCH_SIZE)
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        kafka, redis = start_kafka(Path(folder)), start_redis(Path(folder))
        try:
            with platform(PREPARED_MAX) as port:
                timed = TimedTrack(platform_port=port, kafka=kafka, redis=redis, admin_port=free_port())
                run = timed.run(service)
                found.wall_ms = {step: each / service.batches * 1e3 for step, each in timed.seconds.items()}
                found.wall_ms["all of a pass"] = run.wall_s / run.results * BATCH_SIZE * 1e3
                for number in range(runs):
                    raw = Path(folder) / f"stacks-{number}"
                    track = ProfiledTrack(platform_port=port, kafka=kafka, redis=redis, raw=raw)
                    found.cpu_us.append(track.run(service).cpu_us)
                    found.stacks += parsed(raw.read_text())
        finally:
            redis.stop()
            kafka.stop()
    return found


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.flame", description=__doc__)
    parser.add_argument("--delivery", default="at_least_once")
    parser.add_argument("--runs", type=int, default=RUNS)
    args = parser.parse_args(argv)
    if shutil.which("py-spy") is None:
        print("needs py-spy on the PATH: make setup", file=sys.stderr)
        return 2
    found = measured(args.delivery, args.runs)
    cpu_us, whole = median(found.cpu_us), sum(found.stacks.values())
    figures = {name: cpu_us * samples / whole for name, samples in by_component(found.stacks).most_common()}
    caption = f"bridge {args.delivery}: {cpu_us:.1f} µs CPU a result; {whole} samples; {what_ran()}; {machine()}"
    OUT.mkdir(exist_ok=True)
    (OUT / f"flame-{args.delivery}.svg").write_text(drawn(found.stacks, caption))
    told = {"caption": caption, "cpu_us": figures, "wall_ms": found.wall_ms}
    (OUT / f"flame-{args.delivery}.json").write_text(json.dumps(told, indent=1))
    console = Console(width=140)
    console.print(caption)
    console.print(_table("component", "CPU µs/result", figures))
    console.print(_table("step", "ms of wall clock a pass", found.wall_ms))
    return 0


def _table(of: str, unit: str, figures: Mapping[str, float]) -> Table:
    table = Table(of, unit)
    for name, figure in figures.items():
        table.add_row(name, f"{figure:.1f}")
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
