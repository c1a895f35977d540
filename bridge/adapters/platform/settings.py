"""What is configurable about the platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class Api(Enum):
    """Which spelling of one and the same resource is spoken: path segment and JSON keys."""

    TRIGGERS = "triggers"
    STREAMS = "streams"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSettings:
    """Exactly one of `token` and `token_file` is set; a file is read again when it changes.

    `base_url` may have a path prefix; `/api/v1/...` is appended to it. `allow_insecure` lets a token travel over
    plain http to a host that is not loopback (D20). The budget is shared by all triggers of the process (D8a).
    """

    base_url: str
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    api: Api = Api.TRIGGERS
    timeout_s: float = 60.0
    connect_timeout_s: float = 10.0
    advance_timeout_s: float = 5.0
    allow_insecure: bool = False
    requests_per_s_max: float = 100.0
    requests_in_flight_max: int = 8
    response_bytes_max: int = 256 * 1024 * 1024
