"""What a replay would bring again, counted on the fake and on a real broker."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.replay_counter import KafkaReplayCounter
from bridge.domain.decide import decide
from bridge.domain.model import Generation
from bridge.ports import ReplayCounter
from tests.contract.topic_reader.conftest import FakeWorld, KafkaWorld, World
from tests.contract.topic_reader.test_contract import a_plan_on
from tests.fakes.results import a_batch, raw_result
from tests.fakes.topic_reader import FakeReplayCounter

NOW = datetime.now(UTC).replace(microsecond=0)


def counter_of(world: World) -> ReplayCounter:
    if isinstance(world, FakeWorld):
        return FakeReplayCounter(world.reader)
    assert isinstance(world, KafkaWorld)
    return KafkaReplayCounter(world.settings, SystemClock())


async def test_comments_are_counted_once_by_their_upload_within_both_bounds(world: World) -> None:
    plan = await a_plan_on(world)
    uploads = [NOW - timedelta(hours=hours) for hours in (4, 3, 2, 1)]
    raws = [
        raw_result(number, {"Urgent": 0.9}, created_at=at.isoformat().replace("+00:00", "Z"))
        for number, at in enumerate(uploads)
    ]
    other = replace(plan, ref=replace(plan.ref, trigger="another"))
    for one, generation in ((plan, 0), (plan, 1), (other, 0)):
        await world.land(decide(a_batch(raws), one, Generation(generation), {}, "").deliveries, NOW)
    counter = counter_of(world)
    since_third = await counter.count(plan, uploads[1], None)
    assert (since_third.comments, since_third.is_estimate, since_third.kept_since) == (3, False, None)
    assert (await counter.count(plan, uploads[1], uploads[3])).comments == 2
    assert (await counter.count(plan, NOW + timedelta(hours=1), None)).comments == 0
