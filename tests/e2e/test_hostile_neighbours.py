"""Neighbours that go, hang, forget and come back: held, said, healed without a restart, nothing lost (I7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from tests.e2e.evidence import judged, outage
from tests.e2e.platform import Platform
from tests.e2e.town import LANES, PARTITIONS, Town
from tests.history.collect import read_topics
from tests.history.events import Event, Part
from tests.neighbours.choice import Broker, Ledger
from tests.neighbours.topics import Topics

REDIS_TIMEOUT_S = 1.0


@pytest.fixture
async def town_with_own_kafka(
    platform: Platform, own_kafka: Broker, redis_server: Ledger, redis_url: str, tmp_path: Path
) -> AsyncIterator[Town]:
    assert redis_url
    town = Town(platform, own_kafka, redis_server, Topics(own_kafka.bootstrap_servers), tmp_path / "bridge")
    await town.make_topics()
    yield town
    town.stop()


async def test_a_ledger_that_hangs_holds_and_one_that_is_flushed_costs_repeats_at_most(
    town_with_own_redis: Town,
) -> None:
    """D5, I5: a slow Redis is no cause of a duplicate."""
    town, seen = town_with_own_redis, list[Event]()
    config = town.config(batch_size=20, poll_interval="50ms")
    config["redis"]["timeout"] = f"{REDIS_TIMEOUT_S}s"
    bridge = town.start(config)
    town.platform.upload(30)
    await town.drained(30)

    town.redis.pause()
    town.platform.upload(60)
    await town.until(lambda: town.state() == "blocked")
    assert bridge.trigger()["last_error"]["code"] == "ledger_timeout"
    with bridge.api as api:
        answer = api.get("/readyz")
        assert (answer.status_code, answer.json()["parts"]["redis"] == "ok") == (503, False)
        assert api.get("/livez").status_code == 200
    records = await read_topics(town.kafka.bootstrap_servers, town.all_topics)
    assert len(records) == 30, "nothing is sent while nobody can say what was sent before"
    town.redis.resume()
    assert len(await town.drained(90)) == 90

    # Acked and marked, but not advanced past: what a lost mark has sent again.
    town.platform.fault(op="advance", kind="status", status=500, times=None)
    town.platform.upload(20)
    await town.until(lambda: bridge.trigger()["last_error"]["code"] == "unavailable")
    with outage(Part.REDIS, seen, lasting_s=1.0):
        town.redis.kill()
        await town.until(lambda: bridge.trigger()["last_error"]["code"] == "ledger_unavailable")
        town.redis.restart()
        with redis.Redis.from_url(town.redis.url) as client:
            client.flushall()
    town.platform.call("DELETE", "/_sandbox/faults")
    await town.drained(130)
    figures = await judged(town, seen)
    assert figures.results == 110
    assert (figures.records, sum(figures.duplicates.values())) == (130, 20)


async def test_a_broker_killed_for_ten_seconds_is_waited_for(town_with_own_kafka: Town) -> None:
    """I1, I5, I7, I9."""
    town, seen = town_with_own_kafka, list[Event]()
    config = town.config(batch_size=20, poll_interval="50ms")
    config["kafka"] |= {"publish_timeout": "4s", "request_timeout": "2s"}
    bridge = town.start(config)
    town.platform.upload(60)
    await town.drained(60)
    with outage(Part.KAFKA, seen, lasting_s=1.0):
        town.platform.upload(200)
        town.kafka.kill()
        gone_s = asyncio.get_running_loop().time()
        town.platform.upload(60)
        await town.until(lambda: town.state() == "blocked")
        with bridge.api as api:
            assert api.get("/readyz").json()["parts"]["kafka"] != "ok"
            assert api.get("/livez").status_code == 200
        await asyncio.sleep(max(0.0, 10.0 - (asyncio.get_running_loop().time() - gone_s)))
        town.kafka.restart()
    town.platform.upload(20)
    await town.drained(340, within_s=75)
    assert bridge.running
    figures = await judged(town, seen)
    assert figures.results == 340


async def test_a_topic_that_disappears_blocks_by_name_and_comes_back(town: Town) -> None:
    config = town.config(batch_size=10, poll_interval="50ms")
    config["kafka"] |= {"publish_timeout": "4s", "request_timeout": "2s"}
    bridge = town.start(config)
    town.platform.upload(30)
    await town.drained(30)
    lost = town.topic(LANES["a"])
    await town.topics.delete(lost)
    town.platform.upload(30)
    await town.until(lambda: town.state() == "blocked")
    shown = bridge.trigger()
    assert shown["last_error"]["code"] == "topic_missing"
    assert lost in shown["reason"]
    assert [line for line in bridge.events("trigger_blocked") if lost in line["error"]]
    await town.topics.create_named(lost, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
    expected = town.expected_topics()
    # The topic took its first ten records with it; those behind are there again, and all of the others.
    records = await town.drained(50)
    for topic, uids in expected.items():
        kept = uids[10:] if topic == lost else uids
        assert set(kept) <= {record.uid for record in records if record.topic == topic}
    assert len({record.ce_id for record in records}) == len(records) or bridge.events("producer_abandoned")


async def test_a_platform_that_is_killed_and_comes_back_costs_nothing(town: Town) -> None:
    """I5: no duplicate comes of it."""
    bridge = town.start(town.config(batch_size=10, poll_interval="50ms"))
    town.platform.upload(100)
    await town.until(lambda: bool(bridge.events("batch_advanced")))
    town.platform.sandbox.kill()
    await town.until(lambda: town.state() == "blocked")
    assert bridge.trigger()["last_error"]["code"] in {"unreachable", "connection_lost"}
    town.platform.sandbox.restart()
    town.platform.upload(20)
    await town.drained(120)
    figures = await judged(town, [])
    assert figures.records == 120
