"""Waiting for what other processes do, in their own time."""

from __future__ import annotations

import time
from collections.abc import Callable

WITHIN_S = 60.0


def until(holds: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> None:
    end_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end_s:
            raise TimeoutError(f"not within {within_s:.0f} s: {what}")
        time.sleep(0.2)
