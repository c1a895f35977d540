"""One deployment of the service and what it stands on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.e2e.bridge_process import Bridge
from tests.e2e.platform import DATASET, PROJECT, TRIGGER, Platform
from tests.e2e.topics import Read, read_topics
from tests.neighbours.choice import Broker, Ledger
from tests.neighbours.topics import Topics

LANES = {"a": "lane-a", "b": "lane-b"}
UNMATCHED, DEAD = "unmatched", "dead"
PARTITIONS = 3
WITHIN_S = 45.0
POLL_S = 0.1


class Town:
    """Topics under names of their own; results are routed by `string:Lane`: a, b, and the rest unmatched."""

    def __init__(self, platform: Platform, kafka: Broker, redis: Ledger, topics: Topics, data_dir: Path) -> None:
        self.platform = platform
        self.kafka = kafka
        self.redis = redis
        self.topics = topics
        self.data_dir = data_dir
        self.deployment = f"e2e-{uuid4().hex[:10]}"
        self.bridge: Bridge | None = None

    def topic(self, stem: str) -> str:
        return f"{self.deployment}.{stem}"

    @property
    def all_topics(self) -> list[str]:
        return [self.topic(stem) for stem in (*LANES.values(), UNMATCHED, DEAD)]

    async def make_topics(self, **config: str) -> None:
        """With the broker's append times, for the checker."""
        wanted = {"message.timestamp.type": "LogAppendTime", **{k.replace("_", "."): v for k, v in config.items()}}
        for topic in self.all_topics:
            await self.topics.create_named(topic, PARTITIONS, wanted)

    def config(self, **trigger: Any) -> dict[str, Any]:
        """The configuration; `trigger` replaces keys of its one trigger."""
        routes = [
            {"name": stem, "topic": self.topic(stem), "when": {"user_property": "string:Lane", "one_of": [lane]}}
            for lane, stem in LANES.items()
        ]
        plan = {
            "name": "disputes",
            "project": PROJECT,
            "dataset": DATASET,
            "trigger": TRIGGER,
            "key": "comment.thread_id",
            "poll_interval": "200ms",
            "routes": routes,
            "unmatched": {"topic": self.topic(UNMATCHED)},
            "dead_letter": {"topic": self.topic(DEAD)},
        }
        return {
            "deployment": self.deployment,
            "platform": {"base_url": self.platform.sandbox.url, "token": self.platform.sandbox.token},
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap_servers,
                "topics": {"replication_factor": 1},
            },
            "redis": {"url": self.redis.url},
            "ownership": "local",
            "accept": ["single_replica"],
            "triggers": [{**plan, **trigger}],
        }

    def start(self, config: dict[str, Any] | None = None) -> Bridge:
        """The bridge, listening."""
        self.bridge = Bridge.start(self.data_dir, config or self.config())
        return self.bridge

    def stop(self) -> None:
        if self.bridge is not None:
            self.bridge.stop()

    def expected_topics(self) -> dict[str, list[str]]:
        """uids by topic in the trigger's order, by this file's own reading of the rules."""
        wanted: dict[str, list[str]] = {topic: [] for topic in self.all_topics}
        for result in self.platform.expected():
            lane = "abc"[number_of(result["uid"]) % 3]
            wanted[self.topic(LANES.get(lane, UNMATCHED))].append(result["uid"])
        return wanted

    async def read(self) -> list[Read]:
        return await read_topics(self.kafka.bootstrap_servers, self.all_topics)

    async def drained(self, count: int, within_s: float = WITHIN_S) -> list[Read]:
        """The records, once the trigger is idle and there are that many at least."""
        end_s = time.monotonic() + within_s
        while time.monotonic() < end_s:
            if self.is_idle() and len(records := await self.read()) >= count:
                return records
            await asyncio.sleep(POLL_S)
        raise AssertionError(f"{len(await self.read())} of {count} records after {within_s} s: {self.told()}")

    def is_idle(self) -> bool:
        return self.state() == "idle"

    def state(self) -> str:
        """Of the trigger; empty while the workers are not started."""
        assert self.bridge is not None
        with self.bridge.api as api:
            answer = api.get("/api/v1/triggers/disputes")
        return str(answer.json()["state"]) if answer.status_code == 200 else ""

    async def until(self, holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Poll until something holds."""
        end_s = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < end_s, f"it did not come to hold: {self.told()}"
            await asyncio.sleep(POLL_S)

    def told_of(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        assert self.bridge is not None
        return self.bridge.events(event)

    def told(self) -> str:
        """The end of the bridge's log, for a failure."""
        assert self.bridge is not None
        return "\n".join(str(line) for line in self.bridge.lines[-8:])


def number_of(uid: str) -> int:
    """Which upload it was; the trigger's order within one millisecond is the platform's own."""
    return int(uid.split(".")[1], 16)
