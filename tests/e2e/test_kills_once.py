"""SIGKILL at random moments in `exactly_once`, Redis flushed meanwhile: a read_committed consumer sees nothing twice."""

from __future__ import annotations

import os
import random

import pytest
import redis

from tests.e2e.bridge_process import Bridge
from tests.e2e.test_kills import BATCH_SIZE, IDENTITY, live_and_die, routes_of
from tests.e2e.town import Town
from tests.history.checker import judge
from tests.history.collect import expectation_of, platform_events, read_log_file, read_topics
from tests.history.events import Event

pytestmark = pytest.mark.kafka_apache

KILLS = int(os.environ.get("BRIDGE_KILLS_ONCE", "30"))
SEED = int(os.environ.get("BRIDGE_KILLS_SEED", "20261122"))
COMMENTS_A_LIFE = 60


def lives(town: Town, bridge: Bridge, chance: random.Random) -> list[Event]:
    """Each ends by SIGKILL; between two of them every mark is forgotten."""
    killed = []
    for _ in range(KILLS):
        town.platform.upload(COMMENTS_A_LIFE)
        killed.append(live_and_die(town, bridge, chance))
        with redis.Redis.from_url(town.redis.url) as client:
            client.flushall()
    return killed


@pytest.mark.timeout(600)
async def test_kills_at_random_moments_lose_nothing_and_repeat_nothing(town: Town) -> None:
    """I4, I7: the judge is told of no cause, so that any repeat is a violation."""
    chance = random.Random(SEED)
    config = town.config(batch_size=BATCH_SIZE, poll_interval="50ms", delivery="exactly_once")
    bridge = town.bridge = Bridge(town.data_dir, config)
    killed = lives(town, bridge, chance)
    bridge.begin()
    records = await town.drained(KILLS * COMMENTS_A_LIFE, within_s=120)
    skipped = sum(line["skipped_duplicates"] for line in bridge.events("batch_advanced"))
    bridge.stop()

    assert len(killed) == KILLS
    assert len(records) == KILLS * COMMENTS_A_LIFE == len({record.ce_id for record in records})
    published = await read_topics(town.kafka.bootstrap_servers, town.all_topics)
    expectation = expectation_of(IDENTITY, town.platform.expected(), routes_of(town))
    log = read_log_file(town.platform.sandbox.events_file)
    verdict = judge([*platform_events(log), *published], [expectation])
    print(f"seed {SEED}: {KILLS} kills, {verdict.figures}, {skipped} skipped by the last life")
    assert not verdict.violations, f"seed {SEED}: {verdict.explained()}"


async def test_a_trigger_goes_on_without_redis(town: Town) -> None:
    """D5: nothing of this mode is in Redis, so its loss is no outage."""
    config = town.config(delivery="exactly_once")
    config["redis"] = {"url": "redis://127.0.0.1:1/0"}
    town.platform.upload(50)
    town.start(config)
    records = await town.drained(50)
    assert len(records) == len({record.ce_id for record in records}) == 50
