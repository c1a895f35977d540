"""A whole service: platform, broker, ledger and a bridge as processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.platform import Platform
from tests.e2e.town import Town
from tests.neighbours.choice import Broker, Ledger
from tests.neighbours.sandbox import Sandbox
from tests.neighbours.topics import Topics


@pytest.fixture
def platform(sandbox: Sandbox) -> Iterator[Platform]:
    """With a source, a dataset and an empty trigger."""
    platform = Platform(sandbox)
    platform.prepare()
    yield platform
    platform.close()


@pytest.fixture
async def town(
    platform: Platform, kafka: Broker, redis_server: Ledger, redis_url: str, topics: Topics, tmp_path: Path
) -> AsyncIterator[Town]:
    """On the run's broker and an empty ledger; the bridge is not started."""
    assert redis_url
    town = Town(platform, kafka, redis_server, topics, tmp_path / "bridge")
    await town.make_topics()
    yield town
    town.stop()


@pytest.fixture
async def town_with_own_redis(
    platform: Platform, kafka: Broker, own_redis: Ledger, topics: Topics, tmp_path: Path
) -> AsyncIterator[Town]:
    """Its ledger may be stopped, filled and flushed."""
    town = Town(platform, kafka, own_redis, topics, tmp_path / "bridge")
    await town.make_topics()
    yield town
    town.stop()
