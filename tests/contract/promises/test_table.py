"""Each misconfiguration is refused with its sentence, or accepted by its name (D16), on the real neighbours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from bridge.app.config import load_config
from bridge.app.promises import broken, of_kafka
from tests.neighbours import redis_server
from tests.neighbours.choice import Broker
from tests.neighbours.redis_server import RedisServer
from tests.neighbours.topics import Topics

pytestmark = pytest.mark.kafka_apache


@dataclass(frozen=True)
class Row:
    """A topic made so, and what is said of it; `accepted_by` is empty where nothing lets it pass."""

    made: dict[str, str]
    code: str
    words: str
    accepted_by: str


OUTPUT = {
    "one copy": Row({}, "single_replica", "has a replication factor of 1", "single_replica"),
    "never in sync": Row({"min.insync.replicas": "2"}, "in_sync_impossible", "no record can ever be acked", ""),
    "unclean election": Row(
        {"unclean.leader.election.enable": "true"}, "unclean_election", "they are lost", "unclean_election"
    ),
    "too small": Row({"max.message.bytes": "20000"}, "topic_limit", "takes 20000 bytes", ""),
    "compacted": Row({"cleanup.policy": "compact"}, "topic_compacted", "misses the others", "compacted_topics"),
    "compacted and deleted": Row(
        {"cleanup.policy": "compact,delete"}, "topic_compacted", "=compact,delete", "compacted_topics"
    ),
    "short retention": Row(
        {"retention.ms": "600000"}, "short_retention", "forgets records after 600 s", "short_retention"
    ),
}
STATE = {
    "deleted by time": Row({"cleanup.policy": "delete"}, "state_topic_not_compacted", "set it to compact", ""),
    "compacted and deleted": Row(
        {"cleanup.policy": "compact,delete"}, "state_topic_not_compacted", "=compact,delete", ""
    ),
    "unclean election": Row(
        {"cleanup.policy": "compact", "unclean.leader.election.enable": "true"},
        "unclean_election",
        "bridge.",
        "unclean_election",
    ),
}


def config_of(kafka: Broker, deployment: str, topics: dict[str, str], **more: Any) -> dict[str, Any]:
    """A configuration that publishes to these topics, by the names of its routes."""
    routes = [
        {"name": name.replace(" ", "-"), "topic": topic, "when": {"always": True}} for name, topic in topics.items()
    ]
    trigger = {
        "name": "disputes",
        "project": "org1",
        "dataset": "collateral",
        "trigger": "dispute",
        "routes": routes,
        "unmatched": "drop",
        "dead_letter": {"topic": next(iter(topics.values()))},
    }
    return {
        "deployment": deployment,
        "platform": {"base_url": "http://127.0.0.1:1", "token": "t", "connect_timeout": "1s"},
        "kafka": {"bootstrap_servers": kafka.bootstrap_servers, "topics": {"replication_factor": 1}},
        "redis": {"url": "redis://127.0.0.1:1/0"},
        "ownership": "local",
        "triggers": [trigger],
        **more,
    }


def written(tmp_path: Path, config: dict[str, Any]) -> Path:
    file = tmp_path / "bridge.yaml"
    file.write_text(yaml.safe_dump({"admin": {"port": 0}, **config} if "admin" in config else config))
    return file


async def refused(tmp_path: Path, config: dict[str, Any], *accept: str) -> dict[str, str]:
    """What stands in the way of running this, by code."""
    settings = load_config(written(tmp_path, {**config, "accept": list(accept)}), {})
    return {finding.code: finding.sentence for finding in broken(await of_kafka(settings), settings.accept)}


@pytest.mark.parametrize("name", OUTPUT)
async def test_a_topic_that_promises_less_is_refused_or_accepted_by_name(
    kafka: Broker, topics: Topics, tmp_path: Path, name: str
) -> None:
    row = OUTPUT[name]
    topic = await topics.create("weak", config=row.made)
    config = config_of(kafka, uuid4().hex, {name: topic})
    said = await refused(tmp_path, config)
    assert row.words in said[row.code]
    assert topic in said[row.code]
    rest = await refused(tmp_path, config, "single_replica", *filter(None, [row.accepted_by]))
    assert rest == ({} if row.accepted_by else {row.code: said[row.code]})


@pytest.mark.parametrize("name", STATE)
async def test_a_state_topic_that_forgets_is_refused(kafka: Broker, topics: Topics, tmp_path: Path, name: str) -> None:
    row, deployment = STATE[name], uuid4().hex
    await topics.create_named(f"bridge.{deployment}.state", config=row.made)
    config = config_of(kafka, deployment, {"out": await topics.create("sound")})
    said = await refused(tmp_path, config, "single_replica")
    assert row.words in said[row.code]
    rest = await refused(tmp_path, config, "single_replica", *filter(None, [row.accepted_by]))
    assert rest == ({} if row.accepted_by else said)


async def test_a_sound_topic_is_fine(kafka: Broker, topics: Topics, tmp_path: Path) -> None:
    sound = await topics.create("sound", config={"retention.ms": "-1", "min.insync.replicas": "1"})
    assert await refused(tmp_path, config_of(kafka, uuid4().hex, {"out": sound}), "single_replica") == {}


@pytest.fixture
def evicting(tmp_path: Path) -> Iterator[RedisServer]:
    if redis_server.missing():
        pytest.skip("needs redis-server itself")
    server = RedisServer.start(
        tmp_path / "evicting", args=["--maxmemory", "64mb", "--maxmemory-policy", "volatile-ttl"]
    )
    yield server
    server.stop()


def check_online(file: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "bridge", "check", "-c", str(file), "--online", "--json"],
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    return done.returncode, json.dumps(json.loads(done.stdout)["online"]["wrong"])


async def test_bridge_check_online_prints_them_all(
    kafka: Broker, topics: Topics, tmp_path: Path, evicting: RedisServer
) -> None:
    made = {name: await topics.create("weak", config=row.made) for name, row in OUTPUT.items()}
    missing = f"missing-{uuid4().hex[:8]}"
    config = config_of(kafka, uuid4().hex, {**made, "missing": missing}, redis={"url": evicting.url})
    code, said = check_online(written(tmp_path, config))
    assert code == 2
    for name, row in OUTPUT.items():
        assert made[name] in said
        assert row.words in said
        assert not row.accepted_by or f"accept: [{row.accepted_by}]" in said
    assert f"the topic {missing} does not exist" in said
    assert "volatile-ttl" in said

    accept = ["single_replica", "unclean_election", "compacted_topics", "short_retention", "evicting_redis"]
    code, said = check_online(written(tmp_path, {**config, "accept": accept}))
    assert code == 2
    assert "accept:" not in said
    for left in ("never in sync", "too small"):
        assert OUTPUT[left].words in said
