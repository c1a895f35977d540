"""Several replicas of one deployment, over one platform, broker and ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.e2e.bridge_process import Bridge
from tests.e2e.platform import DATASET, PROJECT
from tests.e2e.topics import Read
from tests.e2e.town import Town
from tests.history.collect import read_log_file

POLL_S = 0.1
WITHIN_S = 60.0


class Replicas:
    """Each in a directory of its own, on a port of its own; the configuration is the same."""

    def __init__(self, town: Town, count: int, triggers: Sequence[str], **plan: Any) -> None:
        self.town = town
        self.triggers = triggers
        (one,) = town.config(batch_size=20, **plan)["triggers"]
        self.config = {
            **town.config(),
            "ownership": "kafka",
            "triggers": [{**one, "name": name, "trigger": name} for name in triggers],
        }
        directories = [town.data_dir.parent / f"replica-{number}" for number in range(count)]
        self.all = [Bridge(directory, self.config) for directory in directories]

    @property
    def alive(self) -> list[Bridge]:
        return [bridge for bridge in self.all if bridge.running]

    async def start(self) -> None:
        """All at once; until they share."""
        with ThreadPoolExecutor(len(self.all)) as pool:
            list(pool.map(lambda bridge: bridge.begin(), self.all))
        await self.shared()
        await self.until(lambda: len(self.owners()) == len(self.triggers))

    def stop(self) -> None:
        """All at once: each may wait for its neighbours."""
        with ThreadPoolExecutor(len(self.all)) as pool:
            list(pool.map(lambda bridge: bridge.stop(), self.all))

    def owned(self, bridge: Bridge) -> int:
        """What the replica said last; nothing while a rebalance goes on."""
        told = [line for line in bridge.lines if line.get("event") in ("triggers_assigned", "triggers_revoked")]
        return int(told[-1]["owned"]) if told and told[-1]["event"] == "triggers_assigned" else 0

    def owners(self) -> dict[str, Bridge]:
        """Who works on what, as any of them tells it."""
        by_pid = {str(bridge.pid): bridge for bridge in self.alive}
        with self.alive[0].api as api:
            told = api.get("/api/v1/triggers", params={"limit": 1000}).json()["triggers"]
        owners = {each["name"]: by_pid.get(each["owner"].rpartition(":")[2]) for each in told}
        return {name: bridge for name, bridge in owners.items() if bridge is not None}

    def shares(self) -> list[int]:
        return [self.owned(bridge) for bridge in self.alive]

    async def shared(self, within_s: float = WITHIN_S) -> None:
        """Until every trigger has an owner, and each replica some."""
        await self.until(lambda: sum(self.shares()) == len(self.triggers) and all(self.shares()), within_s)

    async def until(self, holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        end_s = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < end_s, f"it did not come to hold: {self.shares()}\n{self.told()}"
            await asyncio.sleep(POLL_S)

    async def drained(self, count: int, within_s: float = WITHIN_S) -> list[Read]:
        """The records, once there are that many at least."""
        end_s = time.monotonic() + within_s
        while len(records := await self.town.read()) < count:
            assert time.monotonic() < end_s, f"{len(records)} of {count} records: {self.shares()}\n{self.told()}"
            await asyncio.sleep(POLL_S)
        return records

    def told(self) -> str:
        """The ends of the logs, for a failure."""
        return "\n".join(f"{bridge.data_dir.name}: {line}" for bridge in self.all for line in bridge.lines[-6:])

    def events(self, event: str) -> list[dict[str, Any]]:
        """Of all starts of all replicas."""
        files = [file for bridge in self.all for file in bridge.data_dir.glob("output-*.log")]
        return [line for file in files for line in read_log_file(file) if line.get("event") == event]  # type: ignore[misc]


def identity(trigger: str) -> str:
    return f"{PROJECT}/{DATASET}/{trigger}"


def names(count: int) -> list[str]:
    return [f"trigger-{number:03}" for number in range(count)]
