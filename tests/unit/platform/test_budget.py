"""One budget for all triggers: rate, number in flight, a shared pause, first come first served (D8a)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.platform.budget import HOLD_WAITED_OUT_S, Allowance, Budget
from bridge.domain.errors import Throttled
from tests.fakes.clock import FakeClock, settled


def test_a_second_worth_may_go_at_once_and_the_rest_in_step() -> None:
    allowance = Allowance(per_s=4, in_flight_max=100)
    for _ in range(4):
        assert allowance.wait_s(10.0) == 0
        allowance.take(10.0)
    assert allowance.wait_s(10.0) == pytest.approx(0.25)
    assert allowance.wait_s(10.2) == pytest.approx(0.05)
    assert allowance.wait_s(10.25) == 0


def test_a_rate_below_one_a_second_is_a_rate_and_no_ban() -> None:
    allowance = Allowance(per_s=0.1, in_flight_max=1)
    assert allowance.wait_s(0.0) == 0
    allowance.take(0.0)
    allowance.give_back()
    assert allowance.wait_s(4.0) == pytest.approx(6.0)


def test_what_is_in_flight_is_bounded_however_long_it_lasts() -> None:
    allowance = Allowance(per_s=1000, in_flight_max=2)
    allowance.take(0.0)
    allowance.take(0.0)
    assert allowance.wait_s(1e6) is None
    allowance.give_back()
    assert allowance.wait_s(1e6) == 0


def test_a_hold_stops_all_and_a_shorter_one_does_not_shorten_it() -> None:
    allowance = Allowance(per_s=1000, in_flight_max=2)
    allowance.hold(60.0)
    allowance.hold(30.0)
    assert allowance.wait_s(45.0) == pytest.approx(15.0)
    assert allowance.wait_s(60.0) == 0


@given(
    per_s=st.floats(0.05, 50),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_no_window_of_time_sees_more_than_the_rate_and_one_burst(per_s: float, gaps: list[float]) -> None:
    allowance = Allowance(per_s=per_s, in_flight_max=1000)
    now, taken = 0.0, []
    for gap in gaps:
        now += gap
        while (wait := allowance.wait_s(now)) is not None and wait > 0:
            now += wait
        allowance.take(now)
        taken.append(now)
    burst = max(1.0, per_s)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + per_s * (taken[last] - taken[first]) + 1e-6


def budget_of(clock: FakeClock, *, per_s: float = 1.0, in_flight_max: int = 10) -> Budget:
    return Budget(per_s=per_s, in_flight_max=in_flight_max, clock=clock)


async def test_callers_go_in_the_order_they_came() -> None:
    clock = FakeClock()
    budget = budget_of(clock)
    went: list[tuple[int, float]] = []

    async def caller(number: int) -> None:
        async with budget.request():
            went.append((number, clock.monotonic_s()))

    await asyncio.gather(*(caller(number) for number in range(4)))
    assert went == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]


async def test_the_end_of_one_lets_the_next_go_however_it_ended() -> None:
    clock = FakeClock(manual=True)
    budget = budget_of(clock, per_s=100, in_flight_max=1)
    went: list[str] = []

    async def fails() -> None:
        async with budget.request():
            await clock.sleep(5)
            raise LookupError

    async def goes() -> None:
        async with budget.request():
            went.append("gone")

    first, second = asyncio.ensure_future(fails()), asyncio.ensure_future(goes())
    await settled()
    assert went == []
    await clock.advance(5)
    with pytest.raises(LookupError):
        await first
    await second
    assert went == ["gone"]


async def test_whoever_is_cancelled_in_the_queue_takes_nothing() -> None:
    clock = FakeClock(manual=True)
    budget = budget_of(clock)
    went: list[str] = []

    async def caller(name: str) -> None:
        async with budget.request():
            went.append(name)

    await caller("first")
    head, behind, last = (asyncio.ensure_future(caller(name)) for name in ("head", "behind", "last"))
    await settled()
    head.cancel()
    behind.cancel()
    await settled()
    assert head.cancelled()
    assert behind.cancelled()
    await clock.advance(1)
    await last
    assert went == ["first", "last"]


async def test_a_cancelled_request_gives_its_place_back() -> None:
    clock = FakeClock(manual=True)
    budget = budget_of(clock, per_s=100, in_flight_max=1)

    async def hangs() -> None:
        async with budget.request():
            await clock.sleep(1e9)

    hanging = asyncio.ensure_future(hangs())
    await settled()
    hanging.cancel()
    await settled()
    async with budget.request():
        pass
    assert hanging.cancelled()


async def test_a_short_hold_is_waited_out_and_a_long_one_is_told_at_once() -> None:
    clock = FakeClock()
    budget = budget_of(clock, per_s=100)
    budget.hold(HOLD_WAITED_OUT_S)
    async with budget.request():
        assert clock.monotonic_s() == HOLD_WAITED_OUT_S
    budget.hold(60)
    with pytest.raises(Throttled) as caught:
        async with budget.request():
            pass
    assert (caught.value.code, caught.value.retry_after_s) == ("held", 60.0)


async def test_a_hold_reaches_those_who_wait_already() -> None:
    clock = FakeClock(manual=True)
    budget = budget_of(clock, in_flight_max=1)

    async def caller() -> None:
        async with budget.request():
            await clock.sleep(100)

    first, waiting, behind = (asyncio.ensure_future(caller()) for _ in range(3))
    await settled()
    budget.hold(60)
    await settled()
    for held in (waiting, behind):
        with pytest.raises(Throttled):
            await held
    await clock.advance(100)
    await first
