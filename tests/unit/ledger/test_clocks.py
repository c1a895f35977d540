"""The Clock port: one suite on the machine's time and on the virtual one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bridge.adapters.clock import SystemClock
from bridge.ports import Clock
from tests.fakes.clock import START, FakeClock, settled

SHORT_S = 0.02


@pytest.fixture(params=[SystemClock, FakeClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


async def test_now_is_in_utc(clock: Clock) -> None:
    assert clock.now().utcoffset() == timedelta(0)


async def test_a_sleep_takes_as_long_as_it_says_on_both_hands(clock: Clock) -> None:
    wall, mono = clock.now(), clock.monotonic_s()
    await clock.sleep(SHORT_S)
    assert clock.monotonic_s() - mono >= SHORT_S * 0.99
    assert (clock.now() - wall).total_seconds() >= SHORT_S * 0.9


async def test_a_sleep_without_a_span_returns(clock: Clock) -> None:
    await clock.sleep(0)


async def test_a_sleep_can_be_cancelled(clock: Clock) -> None:
    sleeper = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    sleeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeper


async def test_a_wait_ends_at_the_event(clock: Clock) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(clock.wait(event, 3600))
    await asyncio.sleep(0)
    event.set()
    assert await waiting is True


async def test_a_wait_for_a_set_event_returns_at_once(clock: Clock) -> None:
    event = asyncio.Event()
    event.set()
    assert await clock.wait(event, 0) is True
    assert await clock.wait(event, 3600) is True


async def test_a_wait_ends_at_its_time_out(clock: Clock) -> None:
    before = clock.monotonic_s()
    assert await clock.wait(asyncio.Event(), SHORT_S) is False
    assert clock.monotonic_s() - before >= SHORT_S * 0.99


async def test_a_wait_can_be_cancelled_and_leaves_no_task(clock: Clock) -> None:
    waiting = asyncio.create_task(clock.wait(asyncio.Event(), 3600))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_the_system_clock_tells_the_machines_time() -> None:
    assert abs((SystemClock().now() - datetime.now(UTC)).total_seconds()) < 5


async def test_sleepers_of_the_fake_wake_in_the_order_of_their_time() -> None:
    clock, woken = FakeClock(), list[tuple[str, float]]()

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic_s()))

    await asyncio.gather(sleeper("late", 3600), sleeper("early", 60), sleeper("too", 60))
    assert woken == [("early", 60), ("too", 60), ("late", 3600)]
    assert clock.now() == START + timedelta(hours=1)
    assert clock.slept_s == [3600, 60, 60]


async def test_time_of_the_fake_stands_still_while_anybody_has_something_to_do() -> None:
    clock, seen = FakeClock(), list[float]()

    async def busy() -> None:
        for _ in range(500):
            await asyncio.sleep(0)
            seen.append(clock.monotonic_s())

    await asyncio.gather(clock.sleep(1), busy())
    assert set(seen) == {0.0}
    assert clock.monotonic_s() == 1


async def test_a_manual_fake_moves_only_by_advance() -> None:
    clock, woken = FakeClock(manual=True), list[float]()

    async def ticker() -> None:
        while True:
            await clock.sleep(10)
            woken.append(clock.monotonic_s())

    ticking = asyncio.create_task(ticker())
    await settled()
    assert woken == []
    await clock.advance(35)
    assert woken == [10, 20, 30]
    assert clock.monotonic_s() == 35
    ticking.cancel()


async def test_advance_of_a_fake_that_moves_by_itself_is_a_sleep() -> None:
    clock = FakeClock()
    other = asyncio.create_task(clock.sleep(5))
    await clock.advance(10)
    assert other.done()
    assert clock.monotonic_s() == 10


async def test_a_wait_of_the_fake_does_not_hold_time_back_after_its_event() -> None:
    clock, event = FakeClock(manual=True), asyncio.Event()
    waiting = asyncio.create_task(clock.wait(event, 10))
    await settled()
    event.set()
    assert await waiting is True
    await clock.advance(100)
    assert clock.monotonic_s() == 100
