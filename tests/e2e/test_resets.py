"""SIGKILL in the middle of replays of every kind, on Apache Kafka and Redis, in both modes; then an outside judge."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.e2e.bridge_process import Bridge
from tests.e2e.forked import Life
from tests.e2e.platform import DATASET, PROJECT, TRIGGER
from tests.e2e.test_kills import BATCH_SIZE, IDENTITY, routes_of
from tests.e2e.town import LANES, UNMATCHED, Town
from tests.history.checker import judge
from tests.history.collect import instant_of, read_log_file, read_topics
from tests.history.events import Event, Killed, Part
from tests.history.replays import Reading, Replay, expectation_with
from tests.neighbours.topics import Topics

pytestmark = pytest.mark.kafka_apache

ROUNDS = int(os.environ.get("BRIDGE_RESET_ROUNDS", "1"))
SEED = int(os.environ.get("BRIDGE_KILLS_SEED", "20261122"))
KINDS = ("until", "prefix", "cancel", "plain")
FOREIGN = "foreign"
"""First, before anything is killed: for minutes after that it may be taken for a late advance of the killed one."""
KILLS_A_RESET = int(os.environ.get("BRIDGE_RESET_KILLS", "1"))
COMMENTS = 20
UPLOADS_AT_FIRST = 6
ALIVE_S_MAX = 0.35
PREFIX = "try."
WITHIN_S = 60.0
RESETS = "/api/v1/triggers/disputes/resets"


@dataclass(slots=True)
class Run:
    """One town, struck again and again; `asked` are the ids of its resets in their order."""

    town: Town
    bridge: Bridge
    chance: random.Random
    asked: list[str] = field(default_factory=list)
    killed: list[Event] = field(default_factory=list)
    used: set[datetime] = field(default_factory=set)
    life: Life | None = None

    def upload(self, times: int = 1) -> None:
        """Each upload is an instant of its own."""
        for _ in range(times):
            self.town.platform.upload(COMMENTS)

    def instants(self) -> list[datetime]:
        """Of the uploads so far that no reset went to yet, oldest first."""
        return sorted({instant_of(line) for line in self.town.platform.expected()} - self.used)

    def live(self) -> None:
        self.life = Life(self.bridge.config_file, self.bridge.data_dir / "lives.log", self.bridge.port)

    def kill(self) -> None:
        if self.life is not None:
            self.life.kill()
            self.life = None
            self.killed.append(Killed(at_ms=time.time() * 1000, who=Part.BRIDGE))

    def work(self, kills: int = KILLS_A_RESET) -> None:
        """Some lives that are killed at work, and one that comes to its end and stays."""
        for _ in range(kills):
            self.live()
            time.sleep(self.chance.uniform(0.0, ALIVE_S_MAX))
            self.kill()
        self.live()
        self.until(self.is_settled)

    def is_settled(self) -> bool:
        """Nothing under way, nothing waiting."""
        shown = self.ask("GET", "/api/v1/triggers/disputes")
        return shown is not None and shown["state"] == "idle" and shown["reset"] is None

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """None while it cannot be answered."""
        try:
            with self.bridge.api as api:
                answer = api.request(method, path, json=body)
        except httpx.TransportError:
            return None
        if answer.status_code in (409, 422, 503):
            return None
        return answer.raise_for_status().json()

    def until(self, holds: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + WITHIN_S
        while not (found := holds()):
            assert time.monotonic() < end_s, (self.bridge.data_dir / "lives.log").read_text()[-3000:]
            time.sleep(0.02)
        return found

    def reset(self, kind: str) -> None:
        """Ask for one, and kill soon after; one that is to be called off is so in between."""
        instants = self.instants()
        at = self.chance.randrange(len(instants) // 2)
        to, until = instants[at], instants[-1 - self.chance.randrange(len(instants) // 4)]
        self.used.add(to)
        if kind == FOREIGN:
            assert self.life is not None
            self.life.signal(signal.SIGTERM)
            assert self.life.ended(WITHIN_S)
            self.life = None
            self.upload()
            self.reset_at_the_platform(to)
            return
        self.upload()
        wish: dict[str, Any] = {"to_comment_created_at": to.isoformat()}
        wish |= {"until": {"until": until.isoformat()}, "prefix": {"topic_prefix": PREFIX}}.get(kind, {})
        self.asked.append(self.until(lambda: self.ask("POST", RESETS, wish))["id"])
        time.sleep(self.chance.uniform(0.0, ALIVE_S_MAX))
        if kind == "cancel":
            self.ask("POST", f"{RESETS}/{self.asked[-1]}/cancel")
            time.sleep(self.chance.uniform(0.0, ALIVE_S_MAX / 4))
        self.kill()

    def reset_at_the_platform(self, to: datetime) -> None:
        """Somebody else's, while bridge is down."""
        path = f"/api/v1/datasets/{PROJECT}/{DATASET}/triggers/{TRIGGER}/reset"
        self.town.platform.call("POST", path, {"to_comment_created_at": to.isoformat()})

    def replays(self, history: list[dict[str, Any]]) -> Iterator[Replay]:
        """Those that reached the platform, as the service tells them; each instant is of one reset only."""
        for told in reversed(history):
            has_end = bool(told["until"] or told["topic_prefix"])
            yield Replay(
                to=datetime.fromisoformat(told["to_comment_created_at"]),
                until=datetime.fromisoformat(told["until"]) if told["until"] else None,
                topic_prefix=told["topic_prefix"],
                generation=told["generation"],
                returns=has_end or told["phase"] == "cancelled",
                is_whole=has_end and told["phase"] == "done",
            )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["at_least_once", "exactly_once"])
async def test_kills_in_replays_of_every_kind_lose_nothing_and_mix_no_generations(
    town: Town, topics: Topics, mode: str
) -> None:
    """I3, I4, I5, I7, I9."""
    chance = random.Random(SEED)
    prefixed = [PREFIX + town.topic(stem) for stem in (*LANES.values(), UNMATCHED)]
    for topic in prefixed:
        await topics.create_named(topic, 3, {"message.timestamp.type": "LogAppendTime"})
    config = town.config(batch_size=BATCH_SIZE, poll_interval="50ms", delivery=mode)
    bridge = town.bridge = Bridge(town.data_dir, config)
    run = Run(town, bridge, chance)
    run.upload(UPLOADS_AT_FIRST)
    run.work(kills=0)
    for kind in (FOREIGN, *chance.sample(KINDS * ROUNDS, len(KINDS) * ROUNDS)):
        run.reset(kind)
        run.work()
    with bridge.api as api:
        history = api.get(RESETS, params={"limit": 100}).json()["resets"]
    run.kill()

    log = read_log_file(town.platform.sandbox.events_file)
    reading = Reading(list(run.replays(history))).read(log)
    results = town.platform.expected()
    records = await read_topics(town.kafka.bootstrap_servers, [*town.all_topics, *prefixed])
    verdict = judge(
        [*reading.events, *run.killed, *records], [expectation_with(IDENTITY, results, routes_of(town), reading)]
    )
    phases = [f"{told['requested_by']}:{told['phase']}:{told['generation']}" for told in reversed(history)]
    print(f"seed {SEED}, {mode}: {verdict.figures}; {phases}")
    assert not verdict.violations, f"seed {SEED}: {verdict.explained()}; {phases}"
    assert len(history) == len(KINDS) * ROUNDS + 1
    assert {told["requested_by"] for told in history} == {"operate", "platform"}
    if mode == "exactly_once":
        assert verdict.figures.duplicates.total() == 0


async def test_a_replay_to_topics_that_are_missing_is_blocked_by_name_and_can_be_called_off(town: Town) -> None:
    town.platform.upload(30)
    bridge = town.start(town.config(poll_interval="50ms"))
    await town.drained(30)
    with bridge.api as api:
        early = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        asked = api.post(RESETS, json={"to_comment_created_at": early, "topic_prefix": "nowhere."}).json()
        await town.until(lambda: town.state() == "blocked")
        assert "nowhere." in bridge.trigger()["reason"]
        assert api.post(f"{RESETS}/{asked['id']}/cancel").status_code == 202
        await town.until(town.is_idle)
        assert api.get(f"{RESETS}/{asked['id']}").json()["phase"] == "cancelled"
    town.platform.upload(6)
    records = await town.drained(36)
    assert len(records) == 36
    assert {record.generation for record in records[-6:] if record.uid} <= {0, 2}
