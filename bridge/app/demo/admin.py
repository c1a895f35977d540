"""Asks the running bridge how it stands, over its admin API."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx
import msgspec

from bridge.app.demo.failures import DemoFailed

TIMEOUT_S = 10.0
ENDED = frozenset({"stopped", "failed"})


class LastError(msgspec.Struct):
    """The last thing that went wrong."""

    code: str
    message: str


class RouteCount(msgspec.Struct):
    """What the bridge counts on one route since it began."""

    name: str
    shadow: bool
    published: int


class TriggerStanding(msgspec.Struct):
    """What the demo reads of `GET /api/v1/triggers/{name}`."""

    state: str
    reason: str
    lag_seconds: float
    results: int
    skipped_duplicates: int
    routes: list[RouteCount]
    last_error: LastError | None = None

    @property
    def shadowed(self) -> dict[str, int]:
        """What each shadow route would have taken."""
        return {route.name: route.published for route in self.routes if route.shadow}

    @property
    def why(self) -> str:
        """The reason of the state, else the last error, empty where all is well."""
        return self.reason or (self.last_error.message if self.last_error else "")


class Admin:
    """One bridge."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def trigger(self, name: str) -> TriggerStanding:
        """Raises DemoFailed."""
        try:
            answer = await self._http.get(f"/api/v1/triggers/{name}")
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=TriggerStanding)
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            raise DemoFailed(f"the bridge's admin API at {self.base_url} does not answer: {error}") from error
