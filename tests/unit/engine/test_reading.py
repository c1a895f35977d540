"""How often a pass reads the results of a large page: that is half of what it costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.adapters.platform import wire
from bridge.domain.census import COUNTED_OF_BATCH_MAX, COUNTED_WHOLE, Census
from bridge.domain.model import Generation, Result, Undecodable
from bridge.domain.unread import Unread
from bridge.engine.atomic_cycle import run_atomic_cycle
from bridge.engine.cycle import Memory, Pass, run_cycle
from tests.fakes import source
from tests.fakes.plans import a_plan
from tests.fakes.results import a_batch, raw_result
from tests.unit.engine.world import World

RESULTS = 100
AGAIN_MAX = 4
"""The last one is looked at for where the trigger stands, and once more for how old what follows is."""


async def a_pass(world: World, delivery: str) -> Pass:
    run = run_atomic_cycle if delivery == "exactly_once" else run_cycle
    return await run(world.plan, Generation(0), world.memory, world.neighbours, world.signals)


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
async def test_every_result_is_read_once_and_the_last_a_few_times_more(
    delivery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    world.memory = Memory()
    world.upload(1)
    await a_pass(world, delivery)
    world.upload(RESULTS)
    read: list[bytes] = []

    def reading(raw: bytes) -> Result | Undecodable:
        read.append(raw)
        return wire.decode_result(raw)

    monkeypatch.setattr(source, "decode_result", reading)
    done = await a_pass(world, delivery)
    assert len(done.sent) == len(done.batch.results) == RESULTS
    assert len(set(read)) == RESULTS
    assert set(read[RESULTS:]) <= {read[-1]}
    assert len(read) <= RESULTS + AGAIN_MAX


def test_counting_for_the_insight_views_reads_a_sample() -> None:
    census = Census(a_plan().rules, datetime(2026, 1, 5, tzinfo=UTC))
    read: list[bytes] = []

    def reading(raw: bytes) -> Result | Undecodable:
        read.append(raw)
        return wire.decode_result(raw)

    raws = [raw_result(number, {"Urgent": 0.9}) for number in range(COUNTED_WHOLE)]
    page = replace(a_batch([]), results=Unread(raws, reading))
    for _ in page.results:
        pass
    census.count(page)
    assert census.taken().counted == COUNTED_WHOLE, "a new trigger's first ones are all counted"
    read.clear()
    census.count(page)
    assert 0 < len(read) <= COUNTED_OF_BATCH_MAX
