"""What the admin API is made over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bridge.app.admin.auth import Tokens
from bridge.app.admin.health import Ping
from bridge.domain.model import Result, Undecodable
from bridge.engine.desk import Desk, Workplace
from bridge.ports import Clock, Redrive, ReplayCounter, Source, TopicReader

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminParts:
    """`desk` answers for the deployment, `supervisor` for the health of this process; `source` and `topics` only read.

    `leaving` is set when the server stops: what streams ends then.
    """

    desk: Desk
    supervisor: Workplace
    source: Source
    topics: TopicReader
    counter: ReplayCounter
    redrive: Redrive
    tokens: Tokens
    pings: Mapping[str, Ping]
    clock: Clock
    decode: Callable[[bytes], Result | Undecodable]
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
