"""A sandbox in this process, and our own client before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from typing_extensions import override

from bridge.adapters.clock import SystemClock
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.workspace import Workspace
from bridge.sandbox.server import create_app
from bridge.sandbox.settings import Profile, Settings


class Seen(httpx.AsyncBaseTransport):
    """Passes requests on and remembers them; `fails_at` makes the request of that number break off."""

    def __init__(self, inner: httpx.ASGITransport) -> None:
        self.inner = inner
        self.paths: list[str] = []
        self.fails_at: int | None = None

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(f"{request.method} {request.url.path}")
        if len(self.paths) == self.fails_at:
            raise httpx.ReadError("cut", request=request)
        return await self.inner.handle_async_request(request)


class Town:
    """The client, the server behind it, and what went between them."""

    def __init__(self, db: Path, profile: Profile) -> None:
        self.app = create_app(Settings(db=db, profile=profile, warm=False))
        self.seen = Seen(httpx.ASGITransport(self.app))
        settings = PlatformSettings(base_url="http://localhost", token="sandbox")
        self.platform = Workspace(settings, SystemClock(), transport=self.seen)

    async def admin(self, path: str) -> None:
        async with httpx.AsyncClient(transport=self.seen.inner, base_url="http://localhost") as client:
            (await client.post(f"/_sandbox/{path}")).raise_for_status()

    async def close(self) -> None:
        await self.platform.__aexit__()
        await self.app.state.sandbox.close()


@pytest.fixture(params=list(Profile))
async def town(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    made = Town(tmp_path / "town.sqlite", request.param)
    yield made
    await made.close()
