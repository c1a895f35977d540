"""The standing of one trigger: what is written down, changed one change at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bridge.domain.model import TriggerName
from bridge.domain.standing import Standing
from bridge.ports import StateStore


class Keeper:
    """Holds the latest durable standing of a trigger; both its worker and the admin API change it here (D18)."""

    def __init__(self, name: TriggerName, standing: Standing, store: StateStore) -> None:
        self.standing = standing
        self.name = name
        self._store = store
        self._changing = asyncio.Lock()

    async def change(self, to: Callable[[Standing], Standing]) -> Standing:
        """Apply a pure change to the latest standing and write it down before anybody acts on it. Raises Retry.

        The lock closes the race of a pause that arrives while the worker writes the progress of a reset: each is
        applied to what the other left.
        """
        async with self._changing:
            changed = to(self.standing)
            if changed != self.standing:
                await self._store.save(self.name, changed)
                self.standing = changed
            return changed

    async def restate(self) -> None:
        """Write the standing again, since something else was written over it. Raises Retry."""
        async with self._changing:
            await self._store.save(self.name, self.standing)
