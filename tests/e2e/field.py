"""A deployment whose every link and every part can be struck: two triggers, one in each mode, behind bad networks."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from typing_extensions import override

from tests.e2e.bridge_process import OPERATE, Bridge
from tests.e2e.forked import Life
from tests.e2e.platform import DATASET, PROJECT, Platform
from tests.e2e.town import LANES, UNMATCHED, number_of
from tests.history.checker import judge
from tests.history.collect import (
    Line,
    bridge_events,
    expectation_of,
    platform_events,
    read_log_file,
    read_topics,
    with_late_advances,
)
from tests.history.events import Event, Expectation
from tests.history.verdict import Figures
from tests.neighbours import choice
from tests.neighbours.apache import ApacheKafka
from tests.neighbours.process import free_port
from tests.neighbours.proxy import Proxy
from tests.neighbours.redis_server import RedisServer
from tests.neighbours.topics import Topics

MODES = {"once": "exactly_once", "least": "at_least_once"}
PARTITIONS = 3
BATCH_SIZE = 10
POLL_S = 0.1
STOP_WITHIN_S = 15.0
GROUP = {"session_timeout": "3s", "partitions": 8}
"""A session that is over soon, so that a frozen replica loses its triggers."""
DRAIN_WITHIN_S = 120.0
IDLE_S = 0.5
IDLE_SHARED_S = 5.0
"""Longer than a replica's word of itself may be old, which the others pass on."""
LATE_S = 5.0
"""So long behind a bad link an old request may still be felt."""


class ProxiedKafka(ApacheKafka):
    """Tells the clients of a second listener to come through a proxy; the first is for itself and for the judge."""

    def __init__(self, data_dir: Path, through_port: int) -> None:
        self.behind_port = free_port()
        super().__init__(data_dir)
        own, quorum = f"127.0.0.1:{self.port}", f"127.0.0.1:{self._controller_port}"
        proxied = f"PROXIED://127.0.0.1:{self.behind_port}"
        self._config |= {
            "listeners": f"CLIENT://{own},CONTROLLER://{quorum},{proxied}",
            "advertised.listeners": f"CLIENT://{own},PROXIED://127.0.0.1:{through_port}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
        }

    @property
    @override
    def version(self) -> str:
        return f"{super().version} behind a proxy"


@dataclass(slots=True)
class Replica:
    """One process of the service, over its lives."""

    config_file: Path
    log_file: Path
    port: int
    life: Life | None = None

    def start(self) -> None:
        self.life = Life(self.config_file, self.log_file, self.port)

    def kill(self) -> None:
        if self.life is not None:
            self.life.signal(signal.SIGCONT)
            self.life.kill()
            self.life = None

    def ended_gently(self) -> bool:
        """By SIGTERM, in time."""
        if self.life is not None:
            self.life.signal(signal.SIGTERM)
            if not self.life.ended(STOP_WITHIN_S):
                return False
            self.life = None
        return True

    def state(self, trigger: str) -> str:
        """As the admin API says it; empty where it cannot be asked."""
        headers = {"Authorization": f"Bearer {OPERATE}"}
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/api/v1/triggers/{trigger}", headers=headers, timeout=5)
        except httpx.HTTPError:
            return ""
        return str(answer.json()["state"]) if answer.status_code == 200 else ""


@dataclass(slots=True)
class Field:
    """`seen` is what is known to have befallen it; `late` are the times in which old requests may have arrived."""

    platform: Platform
    kafka: ApacheKafka
    redis: RedisServer
    to_platform: Proxy
    to_kafka: Proxy
    to_redis: Proxy
    data_dir: Path
    replicas: list[Replica] = field(default_factory=list)
    seen: list[Event] = field(default_factory=list)
    late: list[tuple[float, float]] = field(default_factory=list)
    deployment: str = field(default_factory=lambda: f"field-{uuid4().hex[:8]}")
    publish_timeout: str = "3s"

    async def prepare(self, replicas: int) -> None:
        """Topics, a platform trigger for each mode, and the processes."""
        topics = Topics(self.kafka.bootstrap_servers)
        for topic in self.all_topics:
            await topics.create_named(topic, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
        for name in MODES:
            self.platform.create_trigger({"name": name})
        for number in range(replicas):
            bridge = Bridge(self.data_dir / f"bridge-{number}", self.config(replicas > 1))
            log_file = bridge.data_dir / "lives.log"
            self.replicas.append(Replica(bridge.config_file, log_file, bridge.port))
        for replica in self.replicas:
            replica.start()

    def stop(self) -> None:
        """Every process of ours."""
        for replica in self.replicas:
            replica.kill()

    def topic(self, trigger: str, stem: str) -> str:
        return f"{self.deployment}.{trigger}.{stem}"

    def topics_of(self, trigger: str) -> list[str]:
        return [self.topic(trigger, stem) for stem in (*LANES.values(), UNMATCHED)]

    @property
    def all_topics(self) -> list[str]:
        return [topic for trigger in MODES for topic in self.topics_of(trigger)]

    def config(self, shared: bool) -> dict[str, Any]:
        """Short time-outs, so that a bad second is one."""
        return {
            "deployment": self.deployment,
            "platform": {
                "base_url": f"http://127.0.0.1:{self.to_platform.port}",
                "token": self.platform.sandbox.token,
                "timeout": "2s",
                "connect_timeout": "1s",
                "advance_timeout": "1s",
            },
            "kafka": {
                "bootstrap_servers": f"127.0.0.1:{self.to_kafka.port}",
                "publish_timeout": self.publish_timeout,
                "request_timeout": "2s",
                "topics": {"replication_factor": 1},
            },
            "redis": {"url": f"redis://127.0.0.1:{self.to_redis.port}/0", "timeout": "1s", "connect_timeout": "1s"},
            **({"ownership": "kafka", "group": GROUP} if shared else {"ownership": "local"}),
            "accept": ["single_replica"],
            "defaults": {"batch_size": BATCH_SIZE, "poll_interval": "100ms"},
            "triggers": [self._trigger(name, mode) for name, mode in MODES.items()],
        }

    def _trigger(self, name: str, mode: str) -> dict[str, Any]:
        routes = [
            {"name": stem, "topic": self.topic(name, stem), "when": {"user_property": "string:Lane", "one_of": [lane]}}
            for lane, stem in LANES.items()
        ]
        return {
            "name": name,
            "project": PROJECT,
            "dataset": DATASET,
            "trigger": name,
            "key": "comment.thread_id",
            "delivery": mode,
            "routes": routes,
            "unmatched": {"topic": self.topic(name, UNMATCHED)},
        }

    def is_idle(self) -> bool:
        """Some process says so of each trigger."""
        return all(any(replica.state(name) == "idle" for replica in self.replicas) for name in MODES)

    @property
    def is_shared(self) -> bool:
        """Several processes divide the triggers among them."""
        return len(self.replicas) > 1

    def drain(self) -> None:
        """Until everything is said to be delivered, for a while."""
        end_s = time.monotonic() + DRAIN_WITHIN_S
        since_s = time.monotonic()
        while time.monotonic() < since_s + (IDLE_SHARED_S if self.is_shared else IDLE_S):
            assert time.monotonic() < end_s, f"not done {DRAIN_WITHIN_S} s after the last fault: {self.told()}"
            time.sleep(POLL_S)
            if not self.is_idle():
                since_s = time.monotonic()

    def told(self) -> str:
        """The ends of the logs, for a failure."""
        return "\n".join(replica.log_file.read_text(errors="replace")[-1500:] for replica in self.replicas)

    async def judged(self, replayed_to: Mapping[str, Sequence[datetime]] | None = None) -> Mapping[str, Figures]:
        """I1 to I9 of each mode, once all is delivered. In exactly_once no repeat has an excuse.

        `replayed_to`: by trigger the instants it was reset to, in order.
        """
        log = with_late_advances(platform_events(read_log_file(self.platform.sandbox.events_file)), self.late)
        doubts = [each for replica in self.replicas for each in self._doubts(replica)]
        found = {}
        for name in MODES:
            expectation = self._expectation(name, (replayed_to or {}).get(name, ()))
            mine = [each for each in log if getattr(each, "trigger", "") == expectation.trigger]
            records = await read_topics(self.kafka.bootstrap_servers, self.topics_of(name))
            verdict = judge([*mine, *doubts, *self.seen, *records], [expectation])
            assert not verdict.violations, f"{name}: {verdict.explained()}"
            # Behind a reset a result may come in a later generation only, or in several.
            extra = verdict.figures.first_deliveries - verdict.figures.results
            assert extra >= 0 if replayed_to else extra == 0, f"{name}: {verdict.figures}"
            found[name] = verdict.figures
        return found

    def _doubts(self, replica: Replica) -> list[Event]:
        return bridge_events(read_log_file(replica.log_file), {name: identity(name) for name in MODES})

    def _expectation(self, name: str, replayed_to: Sequence[datetime]) -> Expectation:
        def routes_of(result: Line) -> dict[str, str]:
            stem = LANES.get("abc"[number_of(str(result["uid"])) % 3])
            return {stem: self.topic(name, stem)} if stem else {"unmatched": self.topic(name, UNMATCHED)}

        expectation = expectation_of(identity(name), self.platform.expected(name), routes_of, replayed_to)
        return replace(expectation, exactly_once=MODES[name] == "exactly_once")


@asynccontextmanager
async def a_field(platform: Platform, data_dir: Path, replicas: int, **more: Any) -> AsyncIterator[Field]:
    """Everything its own, every link through a proxy, at work. Skips where the broker's address cannot be told."""
    if choice.choose().kind != "apache":
        pytest.skip("needs servers of this machine, whose addresses can be told")
    through = free_port()
    kafka = ProxiedKafka(data_dir / "kafka", through)
    redis = RedisServer(data_dir / "redis")
    with ExitStack() as opened:
        for server in (kafka, redis):
            server.begin()
            opened.callback(server.stop)
            choice.started.append(server)
        ways = [(platform.sandbox.port, None), (kafka.behind_port, through), (redis.port, None)]
        to_platform, to_kafka, to_redis = (Proxy.start(target, port) for target, port in ways)
        for proxy in (to_platform, to_kafka, to_redis):
            opened.callback(proxy.stop)
        field = Field(platform, kafka, redis, to_platform, to_kafka, to_redis, data_dir, **more)
        opened.callback(field.stop)
        await field.prepare(replicas)
        yield field


def identity(trigger: str) -> str:
    return f"{PROJECT}/{DATASET}/{trigger}"
