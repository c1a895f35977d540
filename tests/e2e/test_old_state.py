"""New code over the state of the releases before it, and of the one after (D17), on a real topic."""

from __future__ import annotations

import json

import pytest
from aiokafka import AIOKafkaProducer

from tests.e2e.town import Town
from tests.formats.scenario import Kept, recorded, versions
from tests.formats.test_formats import later


@pytest.mark.kafka_apache
@pytest.mark.parametrize("is_next", [False, True])
async def test_a_bridge_goes_on_from_what_another_release_wrote_down(town: Town, is_next: bool) -> None:
    """D18: no pause is forgotten, no generation lost."""
    topic = f"bridge.{town.deployment}.state"
    await town.topics.create_named(topic, config={"cleanup.policy": "compact"})
    kept = recorded(versions()[0], "state")
    if is_next:
        stray = Kept("disputes/lease", "not even JSON", {})
        kept = [stray, *(Kept(one.key, json.dumps(later(one.body)), {}) for one in kept), stray]
    async with AIOKafkaProducer(bootstrap_servers=town.kafka.bootstrap_servers) as producer:
        for one in kept:
            await producer.send_and_wait(topic, one.value.encode(), key=one.key.encode())

    town.platform.upload(5)
    bridge = town.start(town.config(delivery="exactly_once"))
    await town.until(lambda: town.state() == "paused")
    found = bridge.trigger()
    assert (found["reason"], found["generation"]) == ("paused by bob: release", 2)
    with bridge.api as api:
        resets = api.get("/api/v1/triggers/disputes/resets").json()["resets"]
    assert [reset["id"] for reset in resets] == ["b7", "a1"]
    assert await town.read() == []
