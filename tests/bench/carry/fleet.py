"""Many triggers in one process of the service, over the platform of the bench; all write to the same topics."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import yaml

from tests.bench.carry.job import Job
from tests.bench.carry.race import POLL_S, RUN_TIMEOUT_S, Track, configuration, held, made
from tests.neighbours.topics import Topics

BYTECODE = Path(".bench/bytecode")


@dataclass(frozen=True, slots=True)
class Member:
    """One trigger of a fleet."""

    name: str
    platform: httpx.Client

    def show(self, results: int) -> None:
        """From now on the trigger stands over so many results, and no more."""
        self._post("visible", {"results": results})

    def arrivals(self) -> list[tuple[float, float]]:
        """When results became visible, and when the trigger was advanced past them, in seconds of one clock."""
        return [(seen, past) for seen, past in self._get("arrivals")]

    def watch(self, pid: int, warm_at: int, end_at: int) -> None:
        """Have the platform stop the time of the whole group."""
        self._post("watch", {"pid": pid, "warm_at": warm_at, "end_at": end_at})

    def watched(self) -> Any:
        """What has been stopped so far."""
        return self._get("watch")

    def _post(self, operation: str, body: dict[str, int]) -> None:
        self.platform.post(f"/{self.name}/{operation}", json=body).raise_for_status()

    def _get(self, operation: str) -> Any:
        return self.platform.get(f"/{self.name}/{operation}").raise_for_status().json()


@dataclass(frozen=True, slots=True)
class Fleet:
    """A process that runs; `group` is what the platform adds up over all members."""

    process: subprocess.Popen[bytes]
    job: Job
    group: Member
    members: Sequence[Member]

    def go(self) -> None:
        """It was held until now."""
        self.process.send_signal(signal.SIGCONT)

    def until_arrived(self, member: Member, count: int, within_s: float = RUN_TIMEOUT_S) -> None:
        """Raises TimeoutError."""
        give_up_s = time.monotonic() + within_s
        while len(member.arrivals()) < count:
            self._check(give_up_s)

    def until_carried(self) -> tuple[float, float]:
        """Seconds and CPU seconds between the marks of the group's watch. Raises TimeoutError."""
        give_up_s = time.monotonic() + RUN_TIMEOUT_S
        while len(marks := self.group.watched()["marks"]) < 2:
            self._check(give_up_s)
        (warm_s, warm_ns), (end_s, end_ns) = (marks[at] for at in sorted(marks, key=int))
        return end_s - warm_s, (end_ns - warm_ns) / 1e9

    def rss_bytes(self) -> int:
        """Of the process, now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def _check(self, give_up_s: float) -> None:
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended early with exit code {self.process.returncode}")
        if time.monotonic() > give_up_s:
            raise TimeoutError("the fleet did not get there")
        time.sleep(POLL_S)


@contextmanager
def fleet(track: Track, triggers: int, poll_interval: str, batch_size: int) -> Iterator[Fleet]:
    """Held, until `go`; its topics are removed at the end."""
    name = f"fleet-{uuid4().hex[:8]}"
    job = Job(
        host="127.0.0.1",
        port=track.platform_port,
        bootstrap_servers=track.kafka.bootstrap_servers,
        redis_url=track.redis.url,
        trigger=name,
        results=0,
        batch_size=batch_size,
    )
    topics = Topics(job.bootstrap_servers)
    asyncio.run(made(topics, job.topics))
    names = [f"{name}--{number}" for number in range(triggers)]
    try:
        with tempfile.TemporaryDirectory() as folder, httpx.Client(base_url=_base(job), trust_env=False) as platform:
            file = Path(folder, "bridge.yaml")
            file.write_text(yaml.safe_dump(_configuration(job, names, poll_interval)))
            with held(name, [sys.executable, "-m", "bridge", "run", "-c", str(file)], _compiled()) as process:
                members = [Member(each, platform) for each in names]
                yield Fleet(process, job, Member(name, platform), members)
    finally:
        asyncio.run(topics.remove_all())


@cache
def _compiled() -> dict[str, str]:
    """Variables with which the service finds its bytecode, as in the image: compiling at start takes 8 MB."""
    found = {"PYTHONPYCACHEPREFIX": str(BYTECODE.resolve()), "PYTHONDONTWRITEBYTECODE": ""}
    load = "import anyio._backends._asyncio, pydantic.v1; from bridge.app.cli import app_for; app_for(['run'])"
    subprocess.run([sys.executable, "-c", load], env={**os.environ, **found}, check=True)
    return found


def _base(job: Job) -> str:
    return job.url.rpartition("/")[0]


def _configuration(job: Job, names: Sequence[str], poll_interval: str) -> dict[str, Any]:
    one = configuration(job, "at_least_once")
    (trigger,) = one["triggers"]
    triggers = [{**trigger, "name": name, "trigger": name, "poll_interval": poll_interval} for name in names]
    return {**one, "triggers": triggers}
