"""New rules over results that a broker holds: nothing is published, what moves is explained."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.publisher import KafkaPublisher
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.app.config.settings import Settings
from bridge.app.whatif import whatif
from bridge.domain.decide import decide
from bridge.domain.model import Generation
from bridge.domain.plan import TriggerPlan
from bridge.domain.rules import RuleSet
from bridge.domain.whatif import Way
from tests.fakes.plans import a_plan, a_route
from tests.fakes.results import a_batch, raw_result
from tests.neighbours.choice import Broker
from tests.neighbours.topics import Topics

pytestmark = pytest.mark.kafka_apache


def settings_for(broker: Broker, plan: TriggerPlan) -> Settings:
    return Settings(
        deployment="whatif",
        platform=PlatformSettings(base_url="http://127.0.0.1:1", token="t"),
        kafka=KafkaSettings(bootstrap_servers=broker.bootstrap_servers),
        redis=RedisSettings(url="redis://127.0.0.1:1/0"),
        triggers=(plan,),
    )


async def test_a_raised_threshold_and_a_new_topic(kafka: Broker, topics: Topics) -> None:
    urgent, unrouted, dead = [await topics.create(stem, 3) for stem in ("urgent", "unrouted", "dead")]
    old = a_plan({}, extra=(a_route("urgent", "Urgent", 0.5, topic=urgent),), unmatched=unrouted, dead_letter=dead)
    settings = settings_for(kafka, old)
    results = [raw_result(number, {"Urgent": number / 100}) for number in range(100)]
    bad = b'{"sequence_id": "x", "comment": {"uid": "s.1"}, "labels": 5}'
    async with KafkaPublisher(settings.kafka, SystemClock(), on_abandoned=lambda _: None) as publisher:
        await publisher.publish(decide(a_batch([*results, bad]), old, Generation(0), {}, "").deliveries)

    routes = [a_route("urgent", "Urgent", 0.8, topic=urgent), a_route("late", "Urgent", 0.3, topic="not-yet")]
    told: list[tuple[int, int]] = []
    outcome = await whatif(
        settings_for(kafka, replace(old, rules=RuleSet(routes))), 1000, None, (), lambda *each: told.append(each)
    )
    (found,) = outcome.triggers
    counts = {change.way: (change.before, change.after, change.gained, change.lost) for change in found.changes}
    assert counts == {
        Way("late", "not-yet"): (0, 70, 70, 0),
        Way("unmatched", unrouted): (50, 30, 0, 20),
        Way("urgent", urgent): (50, 20, 0, 30),
    }
    assert (found.results, found.moved, outcome.missing, found.sees_unmatched) == (100, 70, ["not-yet"], True)
    assert told[-1] == (101, 101)
    reasons = {line.split(": ", 1)[0]: line for sample in found.samples for line in sample.why}
    assert "to hold:" in reasons[f"- urgent -> {urgent}"]
    assert "Urgent" in reasons["+ late -> not-yet"]
    (urgent_json,) = (each for each in found.as_json()["routes"] if each["route"] == "urgent")  # type: ignore[attr-defined]
    assert urgent_json["probability_before"]["p50"] == pytest.approx(0.745)
    assert urgent_json["probability_after"]["p50"] == pytest.approx(0.895)


async def test_the_newest_only_and_what_begins_before_them_is_left_out(kafka: Broker, topics: Topics) -> None:
    urgent = await topics.create("urgent", 1)
    plan = a_plan({}, extra=(a_route("urgent", "Urgent", topic=urgent),), unmatched=None, dead_letter=None)
    settings = settings_for(kafka, plan)
    async with KafkaPublisher(settings.kafka, SystemClock(), on_abandoned=lambda _: None) as publisher:
        for number in range(20):
            batch = a_batch([raw_result(number, {"Urgent": 0.9})])
            await publisher.publish(decide(batch, plan, Generation(0), {}, "").deliveries)
    (found,) = (await whatif(settings, 5, None, (), lambda *_: None)).triggers
    assert (found.results, found.moved, found.sees_unmatched) == (5, 0, False)
    later = await whatif(settings, 5, datetime(2100, 1, 1, tzinfo=UTC), (), lambda *_: None)
    assert later.triggers[0].results == 0
