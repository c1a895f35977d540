"""A StateStore in memory, with faults by script."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridge.domain.errors import BridgeError, Retry
from bridge.domain.model import TriggerName
from bridge.domain.standing import Standing

Operation = Literal["load", "save"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The next call of an operation fails; `done` says whether it was done before its answer was lost."""

    error: BridgeError
    done: bool = False


class FakeStateStore:
    """Passes the contract suite of the StateStore port. `saved` holds what was asked to be saved, in order."""

    def __init__(self, standings: Mapping[TriggerName, Standing] | None = None) -> None:
        self.standings: dict[TriggerName, Standing] = dict(standings or {})
        self.saved: list[tuple[TriggerName, Standing]] = []
        self._faults: defaultdict[Operation, deque[Fault]] = defaultdict(deque)

    async def load(self) -> Mapping[TriggerName, Standing]:
        """The latest standing of every trigger that has one."""
        await asyncio.sleep(0)
        self._fail("load")
        return dict(self.standings)

    async def save(self, name: TriggerName, standing: Standing) -> None:
        """Replace the standing of a trigger."""
        await asyncio.sleep(0)
        self.saved.append((name, standing))
        fault = self._faults["save"][0] if self._faults["save"] else None
        if fault is None or fault.done:
            self.standings[name] = standing
        self._fail("save")

    def fail_next(self, operation: Operation, *, times: int = 1, error: BridgeError | None = None) -> None:
        """The next calls do nothing and raise."""
        self._faults[operation].extend([Fault(error=error or _out())] * times)

    def lose_answer(self, operation: Operation, *, times: int = 1, error: BridgeError | None = None) -> None:
        """The next calls are done and raise all the same."""
        self._faults[operation].extend([Fault(error=error or _out(), done=True)] * times)

    def _fail(self, operation: Operation) -> None:
        if self._faults[operation]:
            raise self._faults[operation].popleft().error


def _out() -> Retry:
    return Retry("no broker answers", code="broker_unavailable")
