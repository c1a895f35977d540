"""Takes over changed routes and triggers without a restart: whole, or not at all (D9)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from bridge.app.config.mistakes import ConfigError
from bridge.app.config.settings import Settings
from bridge.domain.plan import TriggerPlan
from bridge.ports import Clock
from bridge.signals import Signals

LOOK_EVERY_S = 5.0
"""How late a changed file is noticed; SIGHUP is noticed at once."""

Fingerprint: TypeAlias = tuple[int, int, int] | None
Apply: TypeAlias = Callable[[Sequence[TriggerPlan]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """`seen` is its fingerprint from before it was read at start: what changes from then on is noticed."""

    path: Path
    load: Callable[[], Settings]
    seen: Fingerprint


class Reloader:
    """Looks at the file; a bad one keeps what runs and says so once."""

    def __init__(self, file: ConfigFile, reload: asyncio.Event, clock: Clock, signals: Signals) -> None:
        self._file = file
        self._reload = reload
        self._clock = clock
        self._signals = signals
        self._seen = file.seen

    async def run(self, running: Settings, apply: Apply) -> None:
        """Until cancelled."""
        while True:
            asked = await self._clock.wait(self._reload, LOOK_EVERY_S)
            self._reload.clear()
            found = fingerprint(self._file.path)
            if asked or found != self._seen:
                self._seen = found
                running = await self._take_over(running, apply)

    async def _take_over(self, running: Settings, apply: Apply) -> Settings:
        try:
            # A file of ten thousand lines takes seconds, in which the workers shall go on.
            changed = await asyncio.to_thread(self._file.load)
        except ConfigError as error:
            self._signals.service_failed("config_refused", mistakes=[str(mistake) for mistake in error.mistakes])
            return running
        if replace(changed, triggers=(), warnings=()) != replace(running, triggers=(), warnings=()):
            self._signals.service_failed("config_needs_restart", hint="only triggers and routes change while running")
        await apply(changed.triggers)
        self._signals.service("config_reloaded", triggers=len(changed.triggers))
        return replace(running, triggers=changed.triggers)


def fingerprint(path: Path) -> Fingerprint:
    """Changes with the file's content, and when a mounted directory is swapped below it; None while it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
