"""The worlds the suite runs in; a sandbox starts at its first use, once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from bridge.adapters.platform.settings import Api
from tests.contract.source.worlds import (
    FakeWorld,
    SandboxOf,
    SandboxOf2020,
    SandboxWorld,
    World,
    client_before,
)


@pytest.fixture(scope="module")
def sandbox_today(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxOf]:
    server = SandboxOf.start(tmp_path_factory.mktemp("sandbox-today"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def sandbox_2020(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxOf]:
    server = SandboxOf2020.start(tmp_path_factory.mktemp("sandbox-2020"))
    yield server
    server.stop()


@pytest.fixture(params=["fake", "fake of 2020", "triggers", "streams", "triggers of 2020"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param.startswith("fake"):
        yield FakeWorld(announces_end=request.param == "fake")
        return
    server = request.getfixturevalue("sandbox_2020" if "2020" in request.param else "sandbox_today")
    api = Api.STREAMS if request.param == "streams" else Api.TRIGGERS
    before = SandboxWorld(server.url, server.token, client_before(server.url, server.token, api))
    try:
        await before.prepare()
        yield before
    finally:
        await before.close()
