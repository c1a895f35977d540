"""The whole configuration, read once and passed on: what everything else is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.app.config.mistakes import Mistake
from bridge.domain.plan import TriggerPlan


class Ownership(Enum):
    """Who runs a trigger: the members of the deployment's Kafka group, or this process alone (D2)."""

    KAFKA = "kafka"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSettings:
    """Where the admin API listens. With no token it answers loopback only (D20); tokens are in no representation."""

    host: str = "127.0.0.1"
    port: int = 8080
    read_token: str | None = field(default=None, repr=False)
    operate_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`accept` names the weaker guarantees that were accepted (D16); `warnings` are the file's, to be said once."""

    deployment: str
    platform: PlatformSettings
    kafka: KafkaSettings
    redis: RedisSettings
    triggers: tuple[TriggerPlan, ...]
    ownership: Ownership = Ownership.LOCAL
    stop_timeout_s: float = 30.0
    admin: AdminSettings = AdminSettings()
    accept: frozenset[str] = frozenset()
    warnings: tuple[Mistake, ...] = ()
