"""A cluster that lets in only whom it knows, over TLS, and lets each do only what it may."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from bridge.adapters.kafka.group_promises import group_findings
from bridge.adapters.kafka.promises import findings
from bridge.adapters.kafka.settings import KafkaSettings, TopicCreation
from bridge.adapters.kafka.topic_promises import Finding, Needs
from bridge.domain.delivery import Outcome
from bridge.domain.errors import Blocked
from tests.contract.publisher.conftest import KafkaWorld, MakeWorld
from tests.contract.publisher.words import a_delivery, all_acked
from tests.neighbours.apache import ApacheKafka
from tests.neighbours.choice import choose

pytestmark = pytest.mark.kafka_apache

LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
USERS = {"admin": "admin-secret", "bridge": "bridge-secret"}
TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Guarded:
    """A broker with its certificate authority and an administrator's client."""

    bootstrap_servers: str
    ca: Path
    admin: AdminClient

    def make(self, topic: str) -> None:
        """A topic nobody but an administrator may see."""
        for done in self.admin.create_topics([NewTopic(topic, 1, 1)]).values():
            done.result(TIMEOUT_S)

    def allow(self, name: str, operation: AclOperation, kind: ResourceType = ResourceType.TOPIC) -> None:
        """Lets the bridge do that to the topic, or to another thing of that name."""
        right = AclBinding(
            kind,
            name,
            ResourcePatternType.LITERAL,
            "User:bridge",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for done in self.admin.create_acls([right]).values():
            done.result(TIMEOUT_S)

    def exists(self, topic: str) -> bool:
        """Whether there is such a topic; the question makes none."""
        return topic in self.admin.list_topics(timeout=TIMEOUT_S).topics


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    if choose().kind != "apache" or shutil.which("openssl") is None:
        pytest.skip("needs a broker of this machine, and openssl")
    directory = tmp_path_factory.mktemp("guarded")
    ca, keystore = certificates(directory)
    broker = ApacheKafka.start(directory / "data", config=guards(ca, keystore))
    admin = AdminClient(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "admin",
            "sasl.password": USERS["admin"],
            "ssl.ca.location": str(ca),
        }
    )
    yield Guarded(broker.bootstrap_servers, ca, admin)
    broker.stop()


def guards(ca: Path, keystore: Path) -> dict[str, str]:
    known = " ".join(f'user_{name}="{password}"' for name, password in USERS.items())
    return {
        "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.client.plain.sasl.jaas.config": (
            f'{LOGIN} required username="admin" password="{USERS["admin"]}" {known};'
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",
        "auto.create.topics.enable": "true",
        # nothing here is carried in transactions: that none could be is what the checks are asked
        "transaction.max.timeout.ms": "9000",
        "transaction.state.log.replication.factor": "3",
    }


def certificates(directory: Path) -> tuple[Path, Path]:
    """A certificate that is its own authority, and a key store of it."""
    key, certificate, keystore = (directory / name for name in ("key.pem", "ca.pem", "keystore.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    keystore.write_bytes(key.read_bytes() + certificate.read_bytes())
    return certificate, keystore


def as_user(guarded: Guarded, world_on: MakeWorld, user: str = "bridge", **changes: Any) -> KafkaWorld:
    settings: dict[str, Any] = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": user,
        "sasl_plain_password": USERS[user],
        "ssl_cafile": str(guarded.ca),
    }
    return world_on(guarded.bootstrap_servers, **(settings | changes))


async def test_who_is_known_and_allowed_publishes(guarded: Guarded, world_on: MakeWorld) -> None:
    guarded.make("allowed")
    guarded.allow("allowed", AclOperation.WRITE)
    world = as_user(guarded, world_on)
    await world.publisher.ping()
    assert all_acked(await world.publisher.publish([a_delivery("allowed", 1)]))


async def test_a_wrong_password_blocks_with_that_word(guarded: Guarded, world_on: MakeWorld) -> None:
    world = as_user(guarded, world_on, sasl_plain_password="wrong")
    with pytest.raises(Blocked) as blocked:
        await world.publisher.publish([a_delivery("allowed", 1)])
    assert blocked.value.code == "authentication_failed"
    assert "wrong" not in str(blocked.value)


# asyncio now and then leaves the socket of a handshake that was refused to the collector, which says so.
@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
async def test_a_broker_that_cannot_be_trusted_is_not_spoken_to(guarded: Guarded, world_on: MakeWorld) -> None:
    """D20."""
    world = as_user(guarded, world_on, ssl_cafile=None)
    with pytest.raises(Blocked) as blocked:
        await world.publisher.ping()
    assert blocked.value.code == "tls_failed"


async def test_a_topic_that_may_not_be_seen_blocks_before_anything_is_sent(
    guarded: Guarded, world_on: MakeWorld
) -> None:
    guarded.make("hidden")
    guarded.make("seen")
    guarded.allow("seen", AclOperation.WRITE)
    world = as_user(guarded, world_on)
    deliveries = [a_delivery("seen", 1), a_delivery("hidden", 2)]
    with pytest.raises(Blocked, match="hidden") as blocked:
        await world.publisher.publish(deliveries)
    assert blocked.value.code == "topic_not_authorized"
    guarded.allow("hidden", AclOperation.WRITE)
    assert [receipt.offset for receipt in await world.publisher.publish(deliveries)] == [0, 0]


async def test_a_topic_that_may_be_seen_but_not_written_fails_as_blocked(guarded: Guarded, world_on: MakeWorld) -> None:
    guarded.make("read-only")
    guarded.allow("read-only", AclOperation.DESCRIBE)
    guarded.make("written")
    guarded.allow("written", AclOperation.WRITE)
    world = as_user(guarded, world_on)
    deliveries = [a_delivery("read-only", 1), a_delivery("written", 2)]
    refused, acked = await world.publisher.publish(deliveries)
    assert (refused.outcome, refused.code, refused.blocked) == (Outcome.FAILED, "topic_not_authorized", True)
    assert acked.outcome is Outcome.ACKED
    assert world.abandoned == []
    guarded.allow("read-only", AclOperation.WRITE)
    assert all_acked(await world.publisher.publish(deliveries))


async def told(guarded: Guarded, user: str, topics: list[str], transactional_ids: list[str]) -> dict[str, Finding]:
    """What the check says to that user, by code."""
    found = await findings(
        settings_of(guarded, user),
        topics,
        Needs(record_bytes_max=900_000, key_ttl_s=60.0),
        state_topic="bridge.checked.state",
        transactional_ids=transactional_ids,
    )
    return {finding.code: finding for finding in found}


def settings_of(guarded: Guarded, user: str) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=guarded.bootstrap_servers,
        security_protocol="SASL_SSL",
        sasl_mechanism="PLAIN",
        sasl_plain_username=user,
        sasl_plain_password=USERS[user],
        ssl_cafile=str(guarded.ca),
        topics=TopicCreation(replication_factor=1),
    )


async def test_the_check_names_every_right_that_is_missing(guarded: Guarded) -> None:
    """D16: a table of its own, each row with its sentence."""
    for topic in ("unseen", "unread"):
        guarded.make(topic)
    guarded.allow("unread", AclOperation.WRITE)
    guarded.allow("prod.allowed", AclOperation.WRITE, ResourceType.TRANSACTIONAL_ID)
    found = await told(guarded, "bridge", ["unseen", "unread"], ["prod.allowed", "prod.disputes"])
    rows = {
        "topic_not_authorized": ("unseen may not be seen", ""),
        "topic_unchecked": ("unread may not be read: allow DescribeConfigs", "unchecked_topics"),
        "transactional_id_not_authorized": ("prod.disputes may not be used: allow Write and Describe", ""),
    }
    assert {code: found[code].accepted_by for code in rows} == {code: word for code, (_, word) in rows.items()}
    for code, (words, _) in rows.items():
        assert words in found[code].sentence
    assert "prod.allowed" not in found["transactional_id_not_authorized"].sentence


async def test_the_check_names_a_group_that_may_not_be_joined(guarded: Guarded) -> None:
    settings = settings_of(guarded, "bridge")
    assert "group_not_authorized" in {found.code for found in await group_findings(settings, "shared")}
    guarded.allow("shared", AclOperation.READ, ResourceType.GROUP)
    assert "group_not_authorized" not in {found.code for found in await group_findings(settings, "shared")}


async def test_the_check_names_brokers_that_can_carry_no_transaction(guarded: Guarded) -> None:
    found = await told(guarded, "admin", [], ["prod.disputes"])
    assert "transaction.max.timeout.ms=9000" in found["transaction_limit"].sentence
    assert "no transaction can begin" in found["transaction_log_impossible"].sentence
    assert found["transaction_log_impossible"].accepted_by == ""
    assert await told(guarded, "admin", [], []) == {}


async def test_asking_for_a_topic_makes_none_even_where_the_broker_would(guarded: Guarded, world_on: MakeWorld) -> None:
    world = as_user(guarded, world_on, user="admin")
    for _ in range(2):
        with pytest.raises(Blocked, match="mistyped"):
            await world.publisher.publish([a_delivery("mistyped", 1)])
    assert not guarded.exists("mistyped")


async def test_a_topic_deleted_while_in_use_is_not_made_again_by_the_send(
    guarded: Guarded, world_on: MakeWorld
) -> None:
    guarded.make("short-lived")
    world = as_user(guarded, world_on, user="admin")
    assert all_acked(await world.publisher.publish([a_delivery("short-lived", 1)]))
    for done in guarded.admin.delete_topics(["short-lived"]).values():
        done.result(TIMEOUT_S)
    await world.publisher.publish([a_delivery("short-lived", 2)])
    with pytest.raises(Blocked, match="short-lived"):
        await world.publisher.publish([a_delivery("short-lived", 2)])
    assert not guarded.exists("short-lived")
