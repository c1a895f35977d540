"""The bound on the bytes under way."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.kafka.budget import Budget


@given(sizes=st.lists(st.integers(1, 150), max_size=30), rounds=st.integers(1, 3))
async def test_what_is_taken_never_passes_the_bound_but_alone_and_everybody_has_a_turn(
    sizes: list[int], rounds: int
) -> None:
    budget, taken, served = Budget(100), [0], []

    async def use(size: int) -> None:
        async with budget.taken(size):
            taken[0] += size
            assert taken[0] <= 100 or taken[0] == size
            for _ in range(rounds):
                await asyncio.sleep(0)
            taken[0] -= size
        served.append(size)

    await asyncio.gather(*(use(size) for size in sizes))
    assert sorted(served) == sorted(sizes)


async def test_one_who_is_cancelled_gives_back_what_he_took() -> None:
    budget = Budget(100)

    async def hold() -> None:
        async with budget.taken(100):
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(hold())
    await asyncio.sleep(0)
    holding.cancel()
    await asyncio.wait({holding})
    waiting.cancel()
    await asyncio.wait({waiting})
    async with asyncio.timeout(1), budget.taken(100):
        pass
