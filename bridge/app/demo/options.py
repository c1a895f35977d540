"""What was asked for, and what a signal does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from bridge.app.demo.children import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As given on the command line. `timeout_s` bounds everything up to the last delivery."""

    once: bool
    data: Path | None
    kafka: str | None
    redis_url: str | None
    timeout_s: float
    keep: bool
    comments: int
    seed: int


class Patience:
    """A signal ends the stay; before that it gives the demo up; a second one kills its processes.

    Made in the task that runs the demo.
    """

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.staying = False
        self._task = asyncio.current_task()
        self._family: Family | None = None

    def watch(self, family: Family) -> None:
        """Those that the second signal kills."""
        self._family = family

    def lose(self) -> None:
        """A signal has come."""
        if self.over.is_set():
            if self._family:
                self._family.kill()
            return
        self.over.set()
        if not self.staying and self._task:
            self._task.cancel()
