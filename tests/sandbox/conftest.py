"""Sandboxes in this process, of both profiles."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.sandbox.settings import Profile
from tests.sandbox.driver import Driver, FixedClock


@pytest.fixture
async def today(tmp_path: Path) -> AsyncIterator[Driver]:
    driver = Driver(tmp_path / "today.sqlite", FixedClock())
    yield driver
    await driver.close()


@pytest.fixture
async def y2020(tmp_path: Path) -> AsyncIterator[Driver]:
    driver = Driver(tmp_path / "2020.sqlite", FixedClock(), Profile.Y2020)
    yield driver
    await driver.close()


@pytest.fixture(params=list(Profile))
async def each(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """The test runs once with each profile."""
    driver = Driver(tmp_path / "each.sqlite", FixedClock(), request.param)
    yield driver
    await driver.close()
