"""Runs contestants over the same platform, broker and ledger, in turn, and measures each from the outside."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import yaml
from confluent_kafka import Consumer, TopicPartition

from tests.bench.carry.job import DATASET, PARTITIONS, PROJECT, Job
from tests.bench.carry.results import BATCH_SIZE, ROUTED, THRESHOLD
from tests.neighbours.choice import Broker, Ledger
from tests.neighbours.process import free_port, listens
from tests.neighbours.topics import Topics

WARM_BATCHES = 4
RUN_TIMEOUT_S = 180.0
POLL_S = 0.02
STOP_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """`module` is run with the job as its argument; without one it is the service in that mode of delivery."""

    name: str
    module: str = ""
    delivery: str = ""
    batches: int = 44
    python: str = sys.executable
    environ: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measured run, warm-up left out; `rss_bytes` is the process's peak."""

    contestant: str
    results: int
    wall_s: float
    cpu_s: float
    rss_bytes: int

    @property
    def results_per_s(self) -> float:
        return self.results / self.wall_s

    @property
    def cpu_us(self) -> float:
        """Of one result."""
        return self.cpu_s / self.results * 1e6


class WrongCountError(AssertionError):
    """What is on the topics is not what was to be carried: a run that loses or repeats has no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What all contestants share."""

    platform_port: int
    kafka: Broker
    redis: Ledger
    admin_port: int = 0
    """Of the service; 0 is one that nobody knows."""

    def run(self, contestant: Contestant) -> Run:
        """Raises WrongCountError, and TimeoutError where it does not come to an end."""
        results = contestant.batches * BATCH_SIZE
        job = Job(
            host="127.0.0.1",
            port=self.platform_port,
            bootstrap_servers=self.kafka.bootstrap_servers,
            redis_url=self.redis.url,
            trigger=f"{contestant.name.replace(' ', '-')}-{uuid4().hex[:8]}",
            results=results,
        )
        topics = Topics(job.bootstrap_servers)
        asyncio.run(made(topics, job.topics))
        try:
            measured = self._measured(contestant, job)
            counted = count(job.bootstrap_servers, job.topics)
        finally:
            asyncio.run(topics.remove_all())
        if counted != (results, results):
            raise WrongCountError(f"{contestant.name}: {counted[0]} records, {counted[1]} of {results} results")
        return measured

    def _measured(self, contestant: Contestant, job: Job) -> Run:
        with (
            _started(contestant, job, self.admin_port) as process,
            httpx.Client(base_url=job.url, trust_env=False) as platform,
        ):
            warm = WARM_BATCHES * BATCH_SIZE
            platform.post("/watch", json={"pid": process.pid, "warm_at": warm, "end_at": job.results})
            process.send_signal(signal.SIGCONT)  # its stop-watch stands ready
            marks = self._ended(platform, process)
            rss_bytes = _peak_rss_bytes(process.pid)
        (warm_s, warm_ns), (end_s, end_ns) = marks[str(warm)], marks[str(job.results)]
        return Run(
            contestant=contestant.name,
            results=job.results - warm,
            wall_s=end_s - warm_s,
            cpu_s=(end_ns - warm_ns) / 1e9,
            rss_bytes=rss_bytes,
        )

    def _ended(self, platform: httpx.Client, process: subprocess.Popen[bytes]) -> Mapping[str, tuple[float, int]]:
        give_up_s = time.monotonic() + RUN_TIMEOUT_S
        while time.monotonic() < give_up_s:
            marks: dict[str, tuple[float, int]] = platform.get("/watch").json()["marks"]
            if len(marks) == 2:
                return marks
            if process.poll() is not None and len(platform.get("/watch").json()["marks"]) < 2:
                raise RuntimeError(f"it ended early with exit code {process.returncode}")
            time.sleep(POLL_S)
        raise TimeoutError(f"not at the end after {RUN_TIMEOUT_S} s")


async def made(topics: Topics, names: list[str]) -> None:
    """As the service would have them made for it."""
    for name in names:
        await topics.create_named(name, PARTITIONS)


@contextmanager
def _started(contestant: Contestant, job: Job, admin_port: int) -> Iterator[subprocess.Popen[bytes]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        held(contestant.name, _command(contestant, job, Path(folder), admin_port), contestant.environ or {}) as process,
    ):
        yield process


@contextmanager
def held(name: str, command: list[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for SIGCONT before it does anything; an error within tells the end of its log."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **environ})
        process.send_signal(signal.SIGSTOP)
        try:
            yield process
        except (RuntimeError, TimeoutError) as error:
            log.seek(0)
            raise type(error)(f"{name}: {error}\n{log.read().decode(errors='replace')[-2000:]}") from error
        finally:
            process.terminate()
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _command(contestant: Contestant, job: Job, folder: Path, admin_port: int) -> list[str]:
    if contestant.module:
        return [contestant.python, "-m", f"tests.bench.carry.contestants.{contestant.module}", job.as_argument()]
    file = folder / "bridge.yaml"
    file.write_text(yaml.safe_dump(configuration(job, contestant.delivery, admin_port)))
    return [contestant.python, "-m", "bridge", "run", "-c", str(file)]


def configuration(job: Job, delivery: str, admin_port: int = 0) -> dict[str, Any]:
    """Of the service: the job's routes as rules, everything else as it comes."""
    routes = [
        {"name": label.lower(), "topic": job.topic(label), "when": {"label": label, "min": THRESHOLD}}
        for label in ROUTED
    ]
    return {
        "deployment": job.trigger,
        "platform": {
            "base_url": f"http://{job.host}:{job.port}",
            "token": "none",
            "requests_per_s_max": 10_000,
        },
        "kafka": {
            "bootstrap_servers": job.bootstrap_servers,
            "compression": "none",
            "topics": {"replication_factor": 1},
        },
        "redis": {"url": job.redis_url},
        "ownership": "local",
        "accept": ["single_replica"],
        "admin": {"port": admin_port},
        "triggers": [
            {
                "name": job.trigger,
                "project": PROJECT,
                "dataset": DATASET,
                "trigger": job.trigger,
                "batch_size": job.batch_size,
                "delivery": delivery,
                "routes": routes,
                "unmatched": "drop",
            }
        ],
    }


def count(bootstrap_servers: str, topics: list[str]) -> tuple[int, int]:
    """Ground truth, read committed: (records, different keys)."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"count-{uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        places = [TopicPartition(topic, partition, 0) for topic in topics for partition in range(PARTITIONS)]
        consumer.assign(places)
        records, keys, ended = 0, set(), 0
        while ended < len(places):
            # It waits for so many, or for the whole of the time-out: a long one is waited out behind the last record.
            for message in consumer.consume(2_000, timeout=0.5):
                if message.error():
                    ended += 1
                else:
                    records += 1
                    keys.add(message.key())
        return records, len(keys)
    finally:
        consumer.close()


@contextmanager
def platform(results: int) -> Iterator[int]:
    """The prepared platform, as a process of its own; gives its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.carry.platform", str(port), str(results)])
    try:
        while not listens(port):
            if process.poll() is not None:
                raise RuntimeError("the platform of the bench did not start")
            time.sleep(POLL_S)
        yield port
    finally:
        process.terminate()
        process.wait()


def _peak_rss_bytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def as_json(run: Run) -> dict[str, Any]:
    return {
        "contestant": run.contestant,
        "results": run.results,
        "wall_s": round(run.wall_s, 4),
        "cpu_s": round(run.cpu_s, 4),
        "results_per_s": round(run.results_per_s),
        "cpu_us_per_result": round(run.cpu_us, 2),
        "rss_mb": round(run.rss_bytes / 1e6, 1),
    }
