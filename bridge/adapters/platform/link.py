"""What every group of routes sends through: one exchange, one base URL, one deadline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from bridge.adapters.platform.answers import read_answer
from bridge.adapters.platform.exchange import Ask, Exchange
from bridge.adapters.platform.routes import Routes


class Link:
    """Raises what `Exchange` raises, and Retry `bad_answer`."""

    def __init__(self, exchange: Exchange, routes: Routes, timeout_s: float) -> None:
        self._exchange = exchange
        self._routes = routes
        self._timeout_s = timeout_s

    async def ask(
        self,
        op: str,
        method: str,
        *segments: str,
        body: Mapping[str, Any] | None = None,
        params: tuple[tuple[str, str | int], ...] = (),
        family: str = "v1",
    ) -> dict[str, Any]:
        """The answer's object, which says that it is a success."""
        url = self._routes.below(*segments, family=family)
        ask = Ask(op=op, method=method, url=url, body=body, params=params, timeout_s=self._timeout_s)
        return read_answer(await self._exchange.send(ask))


def sent(spec: BaseModel) -> dict[str, Any]:
    """What was set in it, as JSON."""
    return spec.model_dump(mode="json", exclude_unset=True)
