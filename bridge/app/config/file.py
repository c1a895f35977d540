"""The shape of the whole file. What two parts must not do together is looked at in `checks`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag
from typing_extensions import override

from bridge.app.config.conditions import When
from bridge.app.config.shape import (
    FROM_TEXT,
    MARK,
    BaseUrl,
    BootstrapServers,
    Closed,
    DeploymentName,
    KeyTtl,
    PlatformName,
    PollInterval,
    ProjectName,
    RecordKey,
    RedisUrl,
    RouteName,
    Switch,
    Text,
    Timeout,
    Token,
    Topic,
)

BatchSize = Annotated[int, Field(ge=1, le=1024), FROM_TEXT]
RecordBytes = Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024), FROM_TEXT]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), FROM_TEXT]


class PlatformSection(Closed):
    """The re:infer / Communications Mining tenant."""

    base_url: BaseUrl
    """Up to, not including, `/api/v1`; a path prefix is normal: https://cloud.uipath.com/acme/prod/reinfer_"""
    token: Token | None = None
    """The bearer token, as ${VARIABLE}."""
    token_file: Text | None = None
    """A file with the token, read again when it changes. One of `token` and `token_file` is needed."""
    api: Literal["triggers", "streams"] = "triggers"
    """Which spelling of the same resource is used."""
    timeout: Timeout = 60.0
    """For one whole request."""
    connect_timeout: Timeout = 10.0
    """For a connection."""
    advance_timeout: Timeout = 5.0
    """For moving the position; well within the group's session, so that it is over before anybody takes over."""
    allow_insecure: Switch = False
    """Lets the token travel over plain http to another machine."""
    requests_per_s_max: Annotated[float, Field(gt=0, le=10_000), FROM_TEXT] = 100.0
    """Shared by all triggers of a process."""
    requests_in_flight_max: Annotated[int, Field(ge=1, le=1_000), FROM_TEXT] = 8
    """Shared by all triggers of a process."""
    response_bytes_max: Annotated[int, Field(ge=1024 * 1024, le=4 * 1024**3), FROM_TEXT] = 256 * 1024 * 1024
    """A larger answer is refused while it is read."""


class TopicsSection(Closed):
    """Whether missing topics are made, and how."""

    create: Switch = False
    """Make topics that are missing at start."""
    partitions: Annotated[int, Field(ge=1, le=10_000), FROM_TEXT] = 6
    replication_factor: Annotated[int, Field(ge=1, le=100), FROM_TEXT] = 3


class KafkaSection(Closed):
    """The brokers. Names are Kafka's own."""

    bootstrap_servers: BootstrapServers
    """host:port, several joined by commas or as a list."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_plain_username: Text | None = None
    sasl_plain_password: Text | None = None
    """As ${VARIABLE}."""
    sasl_plain_password_file: Text | None = None
    """Read at start."""
    ssl_cafile: Text | None = None
    """Certificates of authorities; the system's where none is named."""
    ssl_certfile: Text | None = None
    """The client's certificate, with `ssl_keyfile`."""
    ssl_keyfile: Text | None = None
    ssl_password: Text | None = None
    """Of the key, as ${VARIABLE}."""
    ssl_password_file: Text | None = None
    ssl_check_hostname: Switch = True
    compression: Literal["none", "zstd", "snappy", "lz4", "gzip"] = "zstd"
    client_id: Text = "bridge"
    publish_timeout: Timeout = 30.0
    """For one whole batch."""
    request_timeout: Timeout = 10.0
    """For one request to a broker."""
    topics: TopicsSection = TopicsSection()


class GroupSection(Closed):
    """How replicas share the triggers, with `ownership: kafka`."""

    partitions: Annotated[int, Field(ge=1, le=1_000), FROM_TEXT] = 32
    """Of the control topic: the shares that replicas divide among them. Alike for all; change it with all stopped."""
    session_timeout: Timeout = 10.0
    """After so much silence of a replica others take its triggers over; brokers allow 6s to 30m by default."""
    instance_id: Text | None = None
    """One for each replica, as ${HOSTNAME}: a static member, which a short restart costs no rebalance."""


class RedisSection(Closed):
    """The ledger of marks."""

    url: RedisUrl
    """redis://host:6379/0; also rediss://, redis+sentinel://host,host/service/0 and redis+cluster://host,host"""
    key_ttl: KeyTtl = 86_400.0
    """How long a mark lives: longer than the longest outage plus the time to catch up."""
    connect_timeout: Timeout = 2.0
    timeout: Timeout = 5.0
    """For one whole round trip."""
    username: Text | None = None
    password: Text | None = None
    """As ${VARIABLE}."""
    password_file: Text | None = None
    """Read again at each new connection."""
    sentinel_username: Text | None = None
    sentinel_password: Text | None = None
    sentinel_password_file: Text | None = None
    ssl_cafile: Text | None = None
    ssl_certfile: Text | None = None
    ssl_keyfile: Text | None = None
    ssl_password: Text | None = None
    ssl_password_file: Text | None = None
    ssl_check_hostname: Switch = True
    connections_max: Annotated[int, Field(ge=1, le=1_000), FROM_TEXT] = 16


class AdminSection(Closed):
    """The admin API. With no token it answers this machine only."""

    host: Text = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535), FROM_TEXT] = 8080
    """0 lets the system choose."""
    read_token: Token | None = None
    """May look, as ${VARIABLE}."""
    read_token_file: Text | None = None
    operate_token: Token | None = None
    """May pause, resume and reset too, as ${VARIABLE}."""
    operate_token_file: Text | None = None


class UnmatchedSection(Closed):
    """What becomes of results that no live route takes."""

    topic: Topic


def _unmatched_kind(value: object) -> str:
    return MARK + ("drop" if isinstance(value, str) else "topic")


Unmatched = Annotated[
    Annotated[UnmatchedSection, Tag(MARK + "topic")] | Annotated[Literal["drop"], Tag(MARK + "drop")],
    Discriminator(_unmatched_kind),
]


class DeadLetterSection(Closed):
    """Where results go that cannot be routed or sent."""

    topic: Topic
    stop_when_share_over: Share = 0.5
    """The trigger stops when more than this share of its recent results is poisonous."""


class TriggerOptions(Closed):
    """What a trigger can say for itself, and `defaults` for all of them."""

    batch_size: BatchSize | None = None
    """1 to 1024 results a fetch; 512 by default."""
    poll_interval: PollInterval | None = None
    """How long an idle trigger waits; 5s by default."""
    delivery: Literal["at_least_once", "exactly_once"] | None = None
    """`at_least_once`: Redis marks make repeats rare. `exactly_once`: a batch is one Kafka transaction."""
    on_ledger_outage: Literal["hold", "publish"] | None = None
    """Without Redis: wait (default), or go on and risk repeats."""
    on_foreign_reset: Literal["replay", "skip"] | None = None
    """What becomes of a reset made at the platform itself: replayed as a new generation (default), or undone."""
    record_bytes_max: RecordBytes | None = None
    """A larger record becomes a dead letter; 900000 by default."""
    key: RecordKey | None = None
    """The record key, which keeps order; comment.uid by default."""
    match: Literal["all", "first"] | None = None
    """Every route that holds (default), or the first live one."""
    unmatched: Unmatched | None = None
    """Where results go that no route takes; dropped by default."""
    dead_letter: DeadLetterSection | None = None


class RouteSection(Closed):
    """Results for which `when` holds go to `topic`."""

    name: RouteName
    """Unique in its trigger; `unmatched` and `dead_letter` are taken."""
    topic: Topic
    when: When
    shadow: Switch = False
    """Decided and counted, never published."""


class TriggerSection(TriggerOptions):
    """One trigger of the platform, and where its results go."""

    name: PlatformName | None = None
    """Unique here; the platform's trigger name by default."""
    project: ProjectName
    dataset: PlatformName
    trigger: PlatformName
    routes: Annotated[list[RouteSection], Field(min_length=1)]


class BridgeFile(Closed):
    """The configuration of bridge. Keys that begin with `x-` are left alone: a place for anchors."""

    model_config = ConfigDict(json_schema_extra={"patternProperties": {"^x-": {}}})

    deployment: DeploymentName
    """Names the consumer group, the transactional ids and the bridge's own topics."""
    platform: PlatformSection
    kafka: KafkaSection
    redis: RedisSection
    ownership: Literal["kafka", "local"] = "kafka"
    """Who runs a trigger: the replicas share them, or (`local`) this process runs all, and must be the only one."""
    group: GroupSection = GroupSection()
    stop_timeout: Timeout = 30.0
    """How long batches in flight may take to end at shutdown."""
    admin: AdminSection = AdminSection()
    accept: tuple[Text, ...] = Field(default=(), strict=False)
    """Weaker guarantees that are accepted by name."""
    defaults: TriggerOptions = TriggerOptions()
    """For every trigger that does not say otherwise."""
    triggers: Annotated[list[TriggerSection], Field(min_length=1)]

    @classmethod
    @override
    def leaves_alone(cls, key: str) -> bool:
        return key.startswith("x-")


class RulesFile(Closed):
    """What of the file says where results go."""

    defaults: TriggerOptions = TriggerOptions()
    triggers: Annotated[list[TriggerSection], Field(min_length=1)]
