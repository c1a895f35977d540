"""The live view: server-sent events with every trigger's state, about once a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from bridge.domain.errors import BridgeError
from bridge.engine.desk import Desk, Seen
from bridge.ports import Clock

CLIENTS_MAX = 32
PERIOD_S = 1.0


class Broadcast:
    """Each client first gets every row, then those that changed; rows are made once for all clients.

    A slow client misses moments, never memory: what it gets next is the difference to what it got last.
    """

    def __init__(self, desk: Desk, clock: Clock, leaving: asyncio.Event, clients_max: int = CLIENTS_MAX) -> None:
        self._desk = desk
        self._clock = clock
        self._leaving = leaving
        self._clients_max = clients_max
        self._clients = 0
        self._made_at_s = float("-inf")
        self._rows: Mapping[str, str] = {}

    @property
    def is_full(self) -> bool:
        """No more clients now."""
        return self._clients >= self._clients_max

    async def stream(self) -> AsyncGenerator[str, None]:
        """Events until the service leaves: one `snapshot`, then `changes`; `trouble` while there is no answer."""
        with self._counted():
            given: Mapping[str, str] | None = None
            while not self._leaving.is_set():
                try:
                    rows = self._fresh_rows()
                except BridgeError as error:
                    yield _event("trouble", json.dumps({"code": error.code, "message": str(error)}))
                else:
                    yield _difference(given, rows, self._clock.now())
                    given = rows
                await self._clock.wait(self._leaving, PERIOD_S)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._clients += 1
        try:
            yield
        finally:
            self._clients -= 1

    def _fresh_rows(self) -> Mapping[str, str]:
        now_s = self._clock.monotonic_s()
        if now_s - self._made_at_s >= PERIOD_S / 2:
            self._rows = {name: json.dumps(_row(self._desk.seen(name))) for name in self._desk.names()}
            self._made_at_s = now_s
        return self._rows


def _difference(given: Mapping[str, str] | None, rows: Mapping[str, str], now: datetime) -> str:
    before = given or {}
    # most rows are the very strings of the last round where nothing happened
    changed = [row for name, row in rows.items() if before.get(name) != row]
    gone = json.dumps([name for name in before if name not in rows])
    data = f'{{"at":"{now.isoformat()}","triggers":[{",".join(changed)}],"gone":{gone}}}'
    return _event("snapshot" if given is None else "changes", data)


def _event(kind: str, data: str) -> str:
    return f"event: {kind}\ndata: {data}\n\n"


def _row(seen: Seen) -> dict[str, object]:
    """What the list shows. Instants instead of ages: a trigger at rest has a row that does not change."""
    status, standing = seen.status, seen.standing
    reset = standing.open_reset
    return {
        "name": seen.plan.name,
        "dataset": f"{seen.plan.ref.project}/{seen.plan.ref.dataset}",
        "state": status.state.value,
        "reason": status.reason,
        "owner": seen.owner,
        "generation": standing.generation,
        "results": status.results,
        "published": sum(status.published.values()),
        "dead_letters": sum(status.dead_letters.values()),
        "oldest_pending": status.oldest_pending.isoformat() if status.oldest_pending else None,
        "next_attempt": status.next_attempt.isoformat() if status.next_attempt else None,
        "paused_by": standing.pause.by if standing.pause else None,
        "reset": {"id": reset.id, "phase": reset.phase.value, "replayed": reset.replayed} if reset else None,
    }
