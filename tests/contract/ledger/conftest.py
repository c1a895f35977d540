"""Ledgers over the run's Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.adapters.redis_ledger.settings import RedisSettings

MakeLedger = Callable[[RedisSettings], RedisLedger]


@pytest.fixture
async def ledger_of() -> AsyncIterator[MakeLedger]:
    """Makes ledgers and closes them after the test."""
    async with AsyncExitStack() as stack:
        made: list[RedisLedger] = []

        def make(settings: RedisSettings) -> RedisLedger:
            made.append(RedisLedger(settings))
            return made[-1]

        yield make
        for ledger in made:
            await stack.enter_async_context(ledger)
