"""What a process needs: memory by the number of idle triggers, and processor time by results carried.

Apache Kafka, Redis and the sandbox are processes of this machine; the figures are those of the bridge alone.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.bridge_process import Bridge
from tests.e2e.platform import DATASET, PROJECT, TRIGGER, Platform
from tests.neighbours import ApacheKafka, RedisServer
from tests.neighbours.sandbox import Sandbox

SETTLE_S = 20.0
WITHIN_S = 300.0


def config(
    kafka: ApacheKafka, redis: RedisServer, sandbox: Sandbox, triggers: list[str], delivery: str
) -> dict[str, Any]:
    """A deployment of its own for each run; every trigger has one route."""
    route = {"name": "all", "topic": "sizing", "when": {"always": True}}
    more = {"routes": [route], "unmatched": "drop", "dead_letter": {"topic": "sizing.dead"}}
    plans = [{"project": PROJECT, "dataset": DATASET, "trigger": name, **more} for name in triggers]
    return {
        "deployment": f"sizing-{delivery.replace('_', '-')}-{len(triggers)}",
        "platform": {"base_url": sandbox.url, "token": sandbox.token},
        "kafka": {
            "bootstrap_servers": kafka.bootstrap_servers,
            "topics": {"create": True, "partitions": 6, "replication_factor": 1},
        },
        "redis": {"url": redis.url},
        "ownership": "local",
        "accept": ["single_replica"],
        "defaults": {"delivery": delivery},
        "triggers": plans,
    }


@dataclass(frozen=True, slots=True)
class Spent:
    """Of a process, by the kernel's own account."""

    pid: int

    @property
    def seconds(self) -> float:
        """Of processor time, since its start."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def mib(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def running(bridge: Bridge) -> Iterator[Spent]:
    """While it runs."""
    bridge.begin()
    try:
        yield Spent(bridge.pid)
    finally:
        bridge.stop()


def wait_awake(bridge: Bridge, triggers: list[str], results: int) -> None:
    """Until every trigger works and that many results were carried."""
    end_s = time.monotonic() + WITHIN_S
    while True:
        with bridge.api as api:
            answer = api.get("/api/v1/triggers", params={"limit": 1000})
        listed = answer.json()["triggers"] if answer.status_code == 200 else []
        states = [each["state"] for each in listed]
        awake = len(states) == len(triggers) and set(states) <= {"idle", "running"}
        if awake and sum(each["results"] for each in listed) >= results:
            return
        if time.monotonic() > end_s:
            raise SystemExit(f"not awake within {WITHIN_S:g} s: {sorted(set(states))}")
        time.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, nargs="*", default=[1, 100, 1000])
    parser.add_argument("--results", type=int, default=20_000)
    args = parser.parse_args()
    with ExitStack() as opened:
        root = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="sizing-")))
        kafka, redis = ApacheKafka.start(root / "kafka"), RedisServer.start(root / "redis")
        sandbox = Sandbox.start(root / "sandbox")
        for stop in (kafka.stop, redis.stop, sandbox.stop):
            opened.callback(stop)
        platform = Platform(sandbox)
        opened.callback(platform.close)
        platform.prepare()
        for count in args.triggers:
            names = [TRIGGER, *(f"t{number}" for number in range(1, count))]
            for name in names[1:]:
                platform.http.put(f"/api/v1/datasets/{PROJECT}/{DATASET}/triggers", json={"trigger": {"name": name}})
            bridge = Bridge(root / f"idle-{count}", config(kafka, redis, sandbox, names, "at_least_once"))
            with running(bridge) as process:
                wait_awake(bridge, names, 0)
                before_s = process.seconds
                time.sleep(SETTLE_S)
                share = (process.seconds - before_s) / SETTLE_S
                print(f"{count:5d} idle triggers: {process.mib:6.1f} MiB, {share:.1%} of a core")
        platform.upload(args.results, text="a mail of usual length " * 40)
        for delivery in ("at_least_once", "exactly_once"):
            bridge = Bridge(root / delivery, config(kafka, redis, sandbox, [TRIGGER], delivery))
            with running(bridge) as process:
                start_s = process.seconds
                wait_awake(bridge, [TRIGGER], args.results)
                a_thousand_s = (process.seconds - start_s) / args.results * 1000
                peak = process.mib
                print(f"{delivery}: {a_thousand_s:.3f} s of a core for 1,000 results, {peak:.0f} MiB")
            platform.call(
                "POST",
                f"/api/v1/datasets/{PROJECT}/{DATASET}/triggers/{TRIGGER}/reset",
                {"to_comment_created_at": "2020-01-01T00:00:00Z"},
            )


if __name__ == "__main__":
    main()
