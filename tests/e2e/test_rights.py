"""The rights that the README lists are all that the service needs: it runs as a user who has these and no other."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
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

from tests.contract.publisher.test_rights import USERS, certificates, guards
from tests.e2e.bridge_process import Bridge
from tests.e2e.platform import DATASET, PROJECT, TRIGGER, Platform
from tests.neighbours.apache import ApacheKafka
from tests.neighbours.choice import choose

pytestmark = pytest.mark.kafka_apache
README = Path(__file__).parents[2] / "README.md"
DEPLOYMENT, RULES_TOPIC, DEAD_TOPIC = "rights", "rights-rules", "rights-dead"
RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}
BROKER = {
    "auto.create.topics.enable": "false",
    "transaction.max.timeout.ms": "20000",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
}
TIMEOUT_S, WITHIN_S = 20.0, 60.0


def listed() -> Iterator[AclBinding]:
    """The table of the README, for our deployment and its two topics."""
    table = README.read_text().split("### Rights on Kafka")[1].split("###")[0]
    for line in re.findall(r"^\| (?!resource)([a-z].*) \|$", table, re.MULTILINE):
        kind, name, pattern, operations = (cell.strip().strip("`") for cell in line.split("|"))
        names = [RULES_TOPIC, DEAD_TOPIC] if name.startswith("each") else [name.replace("<deployment>", DEPLOYMENT)]
        match = ResourcePatternType.PREFIXED if pattern == "prefixed" else ResourcePatternType.LITERAL
        for each in names:
            for operation in operations.split(", "):
                to = AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()]
                yield AclBinding(
                    RESOURCES[kind], each or "kafka-cluster", match, "User:bridge", "*", to, AclPermissionType.ALLOW
                )


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[ApacheKafka, Path]]:
    """A broker that knows the rights, and its certificate."""
    if choose().kind != "apache":
        pytest.skip("needs a broker of this machine")
    ca, keystore = certificates(tmp_path)
    broker = ApacheKafka.start(tmp_path / "kafka", config=guards(ca, keystore) | BROKER)
    yield broker, ca
    broker.stop()


def security(ca: Path) -> dict[str, Any]:
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "bridge",
        "sasl_plain_password": USERS["bridge"],
        "ssl_cafile": str(ca),
    }


async def test_the_service_runs_with_the_listed_rights_alone(
    guarded: tuple[ApacheKafka, Path], platform: Platform, redis_url: str, tmp_path: Path
) -> None:
    broker, ca = guarded
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
    rights = list(listed())
    assert len(rights) >= 12
    made = admin.create_topics([NewTopic(name, 2, 1) for name in (RULES_TOPIC, DEAD_TOPIC)])
    for done in [*made.values(), *admin.create_acls(rights).values()]:
        done.result(TIMEOUT_S)
    platform.create_trigger({"name": "once"})
    platform.upload(5)
    bridge = Bridge.start(tmp_path / "bridge", config(broker, ca, platform, redis_url))
    try:
        end_s = time.monotonic() + WITHIN_S
        while [bridge_results(bridge, name) for name in ("usual", "once")] != [5, 5]:
            assert time.monotonic() < end_s, bridge.lines[-5:]
            await asyncio.sleep(0.2)
        accepted = {line["code"] for line in bridge.events("weaker_guarantee_accepted")}
        assert accepted <= {"single_replica"}
    finally:
        bridge.stop()


def bridge_results(bridge: Bridge, name: str) -> int:
    with bridge.api as api:
        answer = api.get(f"/api/v1/triggers/{name}")
    return int(answer.json()["results"]) if answer.status_code == 200 else 0


def config(broker: ApacheKafka, ca: Path, platform: Platform, redis_url: str) -> dict[str, Any]:
    """One trigger of each mode on the same data."""
    route = {"name": "all", "topic": RULES_TOPIC, "when": {"always": True}}
    common = {"project": PROJECT, "dataset": DATASET, "routes": [route], "dead_letter": {"topic": DEAD_TOPIC}}
    once = {"name": "once", "trigger": "once", "delivery": "exactly_once"}
    return {
        "deployment": DEPLOYMENT,
        "platform": {"base_url": platform.sandbox.url, "token": platform.sandbox.token},
        "kafka": {"bootstrap_servers": broker.bootstrap_servers, "topics": {"replication_factor": 1}, **security(ca)},
        "redis": {"url": redis_url},
        "ownership": "kafka",
        "accept": ["single_replica"],
        "triggers": [common | {"name": "usual", "trigger": TRIGGER}, common | once],
    }
