"""SIGKILL at random moments under load, on Apache Kafka and Redis; an outside judge reads what is left (I1 to I9)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest

from tests.e2e.bridge_process import Bridge
from tests.e2e.forked import Life
from tests.e2e.platform import DATASET, PROJECT, TRIGGER
from tests.e2e.town import LANES, UNMATCHED, Town, number_of
from tests.history.checker import judge
from tests.history.collect import Line, RoutesOf, expectation_of, platform_events, read_log_file, read_topics
from tests.history.events import Event, Killed, Part

KILLS = int(os.environ.get("BRIDGE_KILLS", "100"))
SEED = int(os.environ.get("BRIDGE_KILLS_SEED", "20261122"))
COMMENTS_A_LIFE = 120
BATCH_SIZE = 10
ALIVE_S_MAX = 0.25
"""Some ten batches under load, so that a kill falls into every step of a pass."""
KILLED_AT_START_SHARE = 0.15
"""The others are killed some time after their first page, so that they die at work."""

IDENTITY = f"{PROJECT}/{DATASET}/{TRIGGER}"


def routes_of(town: Town) -> RoutesOf:
    def of(result: Line) -> dict[str, str]:
        stem = LANES.get("abc"[number_of(str(result["uid"])) % 3])
        return {stem: town.topic(stem)} if stem else {UNMATCHED: town.topic(UNMATCHED)}

    return of


def live_and_die(town: Town, bridge: Bridge, chance: random.Random) -> Event:
    """Start, let it work for a random while, and kill; what it has sent and not answered for stays open."""
    life = Life(bridge.config_file, bridge.data_dir / "lives.log", bridge.port)
    if chance.random() > KILLED_AT_START_SHARE:
        wait_for_a_page(town)
    time.sleep(chance.uniform(0.0, ALIVE_S_MAX))
    life.kill()
    return Killed(at_ms=time.time() * 1000, who=Part.BRIDGE)


def wait_for_a_page(town: Town) -> None:
    seen = town.platform.events_seen()
    end_s = time.monotonic() + 20
    while town.platform.events_seen() == seen:
        assert time.monotonic() < end_s, "no page was fetched"
        time.sleep(0.005)


def lives(town: Town, bridge: Bridge, chance: random.Random) -> Iterator[Event]:
    for _ in range(KILLS):
        town.platform.upload(COMMENTS_A_LIFE)
        yield live_and_die(town, bridge, chance)


@pytest.mark.timeout(900)
async def test_kills_at_random_moments_lose_nothing_and_every_duplicate_has_its_cause(town: Town) -> None:
    chance = random.Random(SEED)
    bridge = town.bridge = Bridge(town.data_dir, town.config(batch_size=BATCH_SIZE, poll_interval="50ms"))
    killed = list(lives(town, bridge, chance))
    bridge.begin()
    await town.drained(KILLS * COMMENTS_A_LIFE, within_s=120)
    bridge.stop()

    records = await read_topics(town.kafka.bootstrap_servers, town.all_topics)
    expectation = expectation_of(IDENTITY, town.platform.expected(), routes_of(town))
    verdict = judge(
        [*platform_events(read_log_file(town.platform.sandbox.events_file)), *killed, *records], [expectation]
    )
    print(f"seed {SEED}: {verdict.figures}")
    assert not verdict.violations, f"seed {SEED}: {verdict.violations[:10]}"
    assert verdict.figures.kills["bridge"] == KILLS
