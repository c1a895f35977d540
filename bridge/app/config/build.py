"""From the checked file to settings."""

from __future__ import annotations

from bridge.adapters.kafka.settings import GroupSettings, KafkaSettings, TopicCreation
from bridge.adapters.platform.settings import Api, PlatformSettings
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.app.config.file import AdminSection, BridgeFile, GroupSection, KafkaSection, PlatformSection, RedisSection
from bridge.app.config.mistakes import Mistake
from bridge.app.config.plans import plan_of
from bridge.app.config.secrets import Secrets
from bridge.app.config.settings import AdminSettings, Ownership, Settings


def settings_of(file: BridgeFile, secrets: Secrets, warnings: tuple[Mistake, ...]) -> Settings:
    """Everything, ready to run."""
    return Settings(
        deployment=file.deployment,
        platform=_platform(file.platform, secrets),
        kafka=_kafka(file.kafka, file.group, secrets),
        redis=_redis(file.redis, secrets),
        ownership=Ownership(file.ownership),
        stop_timeout_s=file.stop_timeout,
        admin=_admin(file.admin, secrets),
        accept=frozenset(file.accept),
        triggers=tuple(plan_of(trigger, file.defaults) for trigger in file.triggers),
        warnings=warnings,
    )


def _platform(platform: PlatformSection, secrets: Secrets) -> PlatformSettings:
    return PlatformSettings(
        base_url=platform.base_url,
        token=platform.token,
        token_file=secrets.files.get(("platform", "token_file")),
        api=Api(platform.api),
        timeout_s=platform.timeout,
        connect_timeout_s=platform.connect_timeout,
        advance_timeout_s=platform.advance_timeout,
        allow_insecure=platform.allow_insecure,
        requests_per_s_max=platform.requests_per_s_max,
        requests_in_flight_max=platform.requests_in_flight_max,
        response_bytes_max=platform.response_bytes_max,
    )


def _kafka(kafka: KafkaSection, group: GroupSection, secrets: Secrets) -> KafkaSettings:
    around = ("kafka",)
    return KafkaSettings(
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol=kafka.security_protocol,
        sasl_mechanism=kafka.sasl_mechanism,
        sasl_plain_username=kafka.sasl_plain_username,
        sasl_plain_password=secrets.value(around, "sasl_plain_password", kafka.sasl_plain_password),
        ssl_cafile=_named(secrets, "kafka", "ssl_cafile"),
        ssl_certfile=_named(secrets, "kafka", "ssl_certfile"),
        ssl_keyfile=_named(secrets, "kafka", "ssl_keyfile"),
        ssl_password=secrets.value(around, "ssl_password", kafka.ssl_password),
        ssl_check_hostname=kafka.ssl_check_hostname,
        compression=None if kafka.compression == "none" else kafka.compression,
        client_id=kafka.client_id,
        publish_timeout_s=kafka.publish_timeout,
        request_timeout_s=kafka.request_timeout,
        topics=TopicCreation(
            create=kafka.topics.create,
            partitions=kafka.topics.partitions,
            replication_factor=kafka.topics.replication_factor,
        ),
        group=GroupSettings(
            partitions=group.partitions,
            session_timeout_s=group.session_timeout,
            instance_id=group.instance_id,
        ),
    )


def _redis(redis: RedisSection, secrets: Secrets) -> RedisSettings:
    around = ("redis",)
    return RedisSettings(
        url=redis.url,
        key_ttl_s=redis.key_ttl,
        connect_timeout_s=redis.connect_timeout,
        timeout_s=redis.timeout,
        username=redis.username,
        password=redis.password,
        password_file=secrets.files.get(("redis", "password_file")),
        sentinel_username=redis.sentinel_username,
        sentinel_password=secrets.value(around, "sentinel_password", redis.sentinel_password),
        ssl_cafile=_named(secrets, "redis", "ssl_cafile"),
        ssl_certfile=_named(secrets, "redis", "ssl_certfile"),
        ssl_keyfile=_named(secrets, "redis", "ssl_keyfile"),
        ssl_password=secrets.value(around, "ssl_password", redis.ssl_password),
        ssl_check_hostname=redis.ssl_check_hostname,
        connections_max=redis.connections_max,
    )


def _admin(admin: AdminSection, secrets: Secrets) -> AdminSettings:
    return AdminSettings(
        host=admin.host,
        port=admin.port,
        read_token=secrets.value(("admin",), "read_token", admin.read_token),
        operate_token=secrets.value(("admin",), "operate_token", admin.operate_token),
    )


def _named(secrets: Secrets, section: str, key: str) -> str | None:
    named = secrets.files.get((section, key))
    return str(named) if named else None
