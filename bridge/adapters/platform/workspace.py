"""Everything of the platform but its triggers, for whoever sets up and fills what triggers then read."""

from __future__ import annotations

from typing import Self

import httpx

from bridge.adapters.platform.budget import Budget
from bridge.adapters.platform.comments import Comments, Labelling, Predictions
from bridge.adapters.platform.exchange import Exchange
from bridge.adapters.platform.holders import Datasets, Sources
from bridge.adapters.platform.link import Link
from bridge.adapters.platform.routes import Routes
from bridge.adapters.platform.settings import PlatformSettings
from bridge.ports import Clock

LARGE_TIMEOUT_S = 240.0
"""Large uploads are slow; the vendor's own client waits this long."""


class Workspace:
    """Use it as an async context manager. Its calls raise Retry, Throttled, Blocked or StopTrigger."""

    def __init__(
        self,
        settings: PlatformSettings,
        clock: Clock,
        *,
        budget: Budget | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        budget = budget or Budget(
            per_s=settings.requests_per_s_max, in_flight_max=settings.requests_in_flight_max, clock=clock
        )
        self._exchange = Exchange(settings, clock, budget, dict, lambda _op, _code: None, transport)
        link = Link(self._exchange, Routes(settings), max(settings.timeout_s, LARGE_TIMEOUT_S))
        self.sources = Sources(link)
        self.datasets = Datasets(link)
        self.comments = Comments(link)
        self.labelling = Labelling(link)
        self.predictions = Predictions(link)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exchange.aclose()
