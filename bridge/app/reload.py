"""Takes over changed routes and triggers without a restart: whole, or not at all (D9)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bridge.app.config.mistakes import ConfigError
from bridge.app.config.settings import Settings
from bridge.domain.plan import TriggerPlan
from bridge.ports import Clock
from bridge.signals import Signals

LOOK_EVERY_S = 5.0
"""How late a changed file is noticed; SIGHUP is noticed at once."""

Apply = Callable[[Sequence[TriggerPlan]], Awaitable[None]]


class Reloader:
    """Looks at the file; a bad one keeps what runs and says so once."""

    def __init__(
        self, path: Path, load: Callable[[], Settings], reload: asyncio.Event, clock: Clock, signals: Signals
    ) -> None:
        self._path = path
        self._load = load
        self._reload = reload
        self._clock = clock
        self._signals = signals
        self._seen = fingerprint(path)

    async def run(self, running: Settings, apply: Apply) -> None:
        """Until cancelled."""
        while True:
            asked = await self._clock.wait(self._reload, LOOK_EVERY_S)
            self._reload.clear()
            found = fingerprint(self._path)
            if asked or found != self._seen:
                self._seen = found
                running = await self._take_over(running, apply)

    async def _take_over(self, running: Settings, apply: Apply) -> Settings:
        try:
            # A file of ten thousand lines takes seconds, in which the workers shall go on.
            changed = await asyncio.to_thread(self._load)
        except ConfigError as error:
            self._signals.service_failed("config_refused", mistakes=[str(mistake) for mistake in error.mistakes])
            return running
        if replace(changed, triggers=(), warnings=()) != replace(running, triggers=(), warnings=()):
            self._signals.service_failed("config_needs_restart", hint="only triggers and routes change while running")
        await apply(changed.triggers)
        self._signals.service("config_reloaded", triggers=len(changed.triggers))
        return replace(running, triggers=changed.triggers)


def fingerprint(path: Path) -> tuple[int, int, int] | None:
    """Changes with the file's content, and when a mounted directory is swapped below it; None while it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
