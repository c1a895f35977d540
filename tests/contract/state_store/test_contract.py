"""What every StateStore does: one suite, on the fake and on a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bridge.domain.model import Generation, TriggerName
from bridge.domain.standing import Standing
from bridge.ports import StateStore
from tests.contract.state_store.conftest import MakeStore
from tests.contract.state_store.words import DISPUTES, FEES, PAUSED, REPLAYED
from tests.fakes.state_store import FakeStateStore

Again = Callable[[], StateStore]


@pytest.fixture(params=["fake", "kafka"])
def again(request: pytest.FixtureRequest, store_on: MakeStore, deployment: str) -> Again:
    """The store of one deployment, as each new process makes it."""
    if request.param == "fake":
        kept: dict[TriggerName, Standing] = {}

        def fake() -> FakeStateStore:
            made = FakeStateStore()
            made.standings = kept
            return made

        return fake
    broker = request.getfixturevalue("kafka")
    return lambda: store_on(broker.bootstrap_servers, deployment)


async def test_nothing_is_there_at_first(again: Again) -> None:
    assert await again().load() == {}


async def test_what_was_saved_is_there_for_the_next_process(again: Again) -> None:
    """D18."""
    store = again()
    await store.load()
    await store.save(DISPUTES, PAUSED)
    await store.save(FEES, REPLAYED)
    assert await again().load() == {DISPUTES: PAUSED, FEES: REPLAYED}


async def test_the_latest_standing_counts(again: Again) -> None:
    store = again()
    await store.load()
    for generation in range(5):
        await store.save(DISPUTES, replace(REPLAYED, generation=Generation(generation)))
    await store.save(DISPUTES, Standing())
    assert await again().load() == {DISPUTES: Standing()}


async def test_saving_before_loading_is_fine(again: Again) -> None:
    await again().save(DISPUTES, PAUSED)
    assert await again().load() == {DISPUTES: PAUSED}


async def test_saving_the_same_again_changes_nothing(again: Again) -> None:
    store = again()
    await store.save(DISPUTES, PAUSED)
    await store.save(DISPUTES, PAUSED)
    assert await store.load() == {DISPUTES: PAUSED}


async def test_a_store_sees_what_another_one_saved(again: Again) -> None:
    first, second = again(), again()
    await first.load()
    await second.save(DISPUTES, PAUSED)
    assert await first.load() == {DISPUTES: PAUSED}
    await first.save(DISPUTES, REPLAYED)
    assert await second.load() == {DISPUTES: REPLAYED}


async def test_saves_at_the_same_time_are_all_kept(again: Again) -> None:
    store = again()
    names = [TriggerName(f"trigger-{number}") for number in range(20)]
    standings = {name: replace(REPLAYED, generation=Generation(at)) for at, name in enumerate(names)}
    await asyncio.gather(*(store.save(name, standing) for name, standing in standings.items()))
    assert await again().load() == standings
