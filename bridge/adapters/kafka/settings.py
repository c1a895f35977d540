"""What is configurable about the broker."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicCreation:
    """Whether missing topics are made, and how."""

    create: bool = False
    partitions: int = 6
    replication_factor: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """How replicas share the triggers. `instance_id` makes a static member, which keeps its share over a restart."""

    partitions: int = 32
    session_timeout_s: float = 10.0
    instance_id: str | None = None

    @property
    def heartbeat_s(self) -> float:
        """Ten a session: a rebalance is noticed after one, and several may be lost."""
        return self.session_timeout_s / 10


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Names as Kafka's own clients use them. Secrets are in no representation of it (I10)."""

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_plain_username: str | None = None
    sasl_plain_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_password: str | None = field(default=None, repr=False)
    ssl_check_hostname: bool = True
    compression: str | None = "zstd"
    client_id: str = "bridge"
    publish_timeout_s: float = 30.0
    request_timeout_s: float = 10.0
    topics: TopicCreation = TopicCreation()
    group: GroupSettings = GroupSettings()
