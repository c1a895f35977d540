"""One timer for many calls: each ends as `asyncio.timeout` of its own would end it."""

from __future__ import annotations

import asyncio
import time
from unittest.mock import Mock

import pytest

from bridge.adapters.redis_ledger.bound import Bound

SHORT_S = 0.02
LONG_S = 60.0
IN_BOUND_S = 2.0


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def bounded(bound: Bound) -> None:
    with bound.call():
        await never()


async def test_what_lasts_too_long_times_out() -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        await bounded(Bound(SHORT_S))
    assert SHORT_S * 0.9 <= time.monotonic() - begun < IN_BOUND_S
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0, "later waits of the task are not cancelled"


async def test_each_call_has_its_own_time() -> None:
    """The timer is the first call's at first, which ends early; the others' time counts from their own begin."""
    bound = Bound(SHORT_S)
    ended: list[float] = []

    async def late() -> None:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            await bounded(bound)
        ended.append(time.monotonic() - begun)

    with bound.call():
        pass
    first = asyncio.create_task(late())
    await asyncio.sleep(SHORT_S / 2)
    await asyncio.gather(first, *(late() for _ in range(3)))
    assert len(ended) == 4
    assert all(SHORT_S * 0.9 <= took < IN_BOUND_S for took in ended)


async def test_a_bound_that_was_idle_bounds_again() -> None:
    bound = Bound(SHORT_S)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await bounded(bound)
        with bound.call():
            await asyncio.sleep(0)


async def test_calls_in_time_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    call_at = Mock(wraps=loop.call_at)
    monkeypatch.setattr(loop, "call_at", call_at)
    bound = Bound(LONG_S)
    for _ in range(100):
        with bound.call():
            await asyncio.sleep(0)
    assert call_at.call_count == 1


async def test_a_cancelled_call_stays_cancelled() -> None:
    task = asyncio.create_task(bounded(Bound(LONG_S)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_call_that_is_cancelled_and_late_at_once_stays_cancelled() -> None:
    """A process that ends must not be held up by an answer that did not come just then."""

    async def slow_to_give_up() -> None:
        with bound.call():
            try:
                await never()
            except asyncio.CancelledError:
                task.cancel()
                raise

    bound = Bound(SHORT_S)
    task = asyncio.create_task(slow_to_give_up())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_an_error_of_a_late_call_stays_that_error() -> None:
    async def failing() -> None:
        with Bound(SHORT_S).call():
            try:
                await never()
            except asyncio.CancelledError:
                raise ConnectionResetError from None

    with pytest.raises(ConnectionResetError):
        await failing()
