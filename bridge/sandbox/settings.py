"""What a sandbox can be told, read once at start."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bridge.sandbox.auth import ALL_PERMISSIONS, Permission

DEFAULT_TOKEN = "sandbox"  # noqa: S105  a well-known development token, not a secret
BODY_MAX_BYTES = 256 * 1024 * 1024
"""Above the largest lawful sync we expect, below what would exhaust a small machine."""


class Profile(StrEnum):
    """Which era of the platform the answers are shaped like (fact sheet section 8)."""

    Y2020 = "2020"
    TODAY = "today"


class StartAt(StrEnum):
    """Where a new trigger stands; the documents do not say."""

    BEGINNING = "beginning"
    NOW = "now"


class StaleAdvance(StrEnum):
    """What an advance behind the position does; the documents do not say (trap 26)."""

    MOVES_BACK = "moves_back"
    REFUSED = "refused"


def wall_clock_ms() -> float:
    return time.time() * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`label_floor`: the least probability delivered where no thresholds are set (trap 17: the real one is unknown)."""

    db: Path
    profile: Profile = Profile.TODAY
    tokens: Mapping[str, frozenset[Permission]] = field(default_factory=lambda: {DEFAULT_TOKEN: ALL_PERMISSIONS})
    admin_token: str | None = None
    prefix: str = ""
    label_floor: float = 0.05
    redeliver_changed: bool = False
    start_at: StartAt = StartAt.BEGINNING
    stale_advance: StaleAdvance = StaleAdvance.MOVES_BACK
    warm: bool = True
    log_events_max: int = 2000
    log_file: Path | None = None
    clock_ms: Callable[[], float] = wall_clock_ms

    @property
    def sync_max(self) -> int:
        return 1024 if self.profile is Profile.Y2020 else 16384
