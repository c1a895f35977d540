"""What cuts a worker's waits off when it is to leave, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from bridge.engine.guard import Cut, Guard, Leaving


def a_guard() -> Guard:
    return Guard(lambda: 60.0, 1.0)


async def hang_within(cut: Cut) -> None:
    async with cut:
        await asyncio.Event().wait()


async def begun(cut: Cut) -> asyncio.Task[None]:
    task = asyncio.create_task(hang_within(cut))
    await asyncio.sleep(0)
    return task


async def test_who_leaves_is_out_of_its_wait_at_once() -> None:
    guard = a_guard()
    task = await begun(guard.unless_leaving())
    guard.leave()
    guard.leave()
    with pytest.raises(Leaving):
        await task
    assert task.cancelling() == 0


async def test_who_has_left_already_does_not_begin_to_wait_until_it_is_back() -> None:
    guard = a_guard()
    guard.leave()
    with pytest.raises(Leaving):
        await hang_within(guard.unless_leaving())
    guard.enter()
    async with guard.unless_leaving():
        await asyncio.sleep(0)


async def test_what_would_have_ended_without_a_wait_leaves_no_cancellation_behind() -> None:
    guard = a_guard()
    guard.leave()
    with pytest.raises(Leaving):
        async with guard.unless_leaving():
            pytest.fail("it has begun")
    await asyncio.sleep(0)


async def test_a_cancellation_from_outside_stays_one_with_leaving_or_without() -> None:
    guard = a_guard()
    task = await begun(guard.unless_leaving())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    task = await begun(guard.unless_leaving())
    guard.leave()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_has_ended_is_left_alone() -> None:
    guard = a_guard()
    async with guard.unless_leaving():
        pass
    guard.leave()
    await asyncio.sleep(0)


async def test_an_error_within_is_told_as_it_is() -> None:
    guard = a_guard()
    with pytest.raises(LookupError):
        async with guard.unless_leaving():
            raise LookupError
