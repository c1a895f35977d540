"""What the cluster does not keep of the configuration's promises is said in sentences (D16)."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from bridge.adapters.kafka.promises import findings
from bridge.adapters.kafka.settings import KafkaSettings, TopicCreation
from bridge.adapters.kafka.topic_promises import Finding, Needs
from bridge.domain.errors import Retry
from tests.neighbours.choice import Broker
from tests.neighbours.topics import Topics

SETTINGS = KafkaSettings(
    bootstrap_servers="127.0.0.1:1",
    request_timeout_s=1.0,
    publish_timeout_s=5.0,
    topics=TopicCreation(replication_factor=1),
)
NEEDS = Needs(record_bytes_max=900_000, key_ttl_s=3600.0)


def a_state_topic() -> str:
    return f"bridge.{uuid.uuid4().hex[:12]}.state"


async def found(kafka: Broker, *topics: str, state: str, creation: TopicCreation | None = None) -> list[Finding]:
    settings = replace(SETTINGS, bootstrap_servers=kafka.bootstrap_servers, topics=creation or SETTINGS.topics)
    return await findings(settings, topics, NEEDS, state_topic=state)


async def test_a_missing_topic_is_found_unless_it_is_to_be_made(kafka: Broker) -> None:
    missing, state = f"missing-{uuid.uuid4().hex[:12]}", a_state_topic()
    (finding,) = await found(kafka, missing, state=state)
    assert (finding.topic, finding.code, finding.accepted_by) == (missing, "topic_missing", "")
    assert missing in finding.sentence
    creation = TopicCreation(create=True, replication_factor=1)
    assert await found(kafka, missing, state=state, creation=creation) == []


@pytest.mark.kafka_apache
async def test_a_topic_to_be_made_with_more_copies_than_brokers_is_found(kafka: Broker) -> None:
    missing, state = f"missing-{uuid.uuid4().hex[:12]}", a_state_topic()
    creation = TopicCreation(create=True, replication_factor=3)
    told = await found(kafka, missing, state=state, creation=creation)
    assert {(each.topic, each.code, each.accepted_by) for each in told} == {
        (missing, "too_few_brokers", ""),
        (state, "too_few_brokers", "single_replica"),
    }


async def test_one_copy_is_found_and_can_be_accepted_by_name(kafka: Broker, topics: Topics) -> None:
    topic = await topics.create("single")
    (finding,) = await found(kafka, topic, state=a_state_topic())
    assert (finding.topic, finding.code, finding.accepted_by) == (topic, "single_replica", "single_replica")


async def test_a_topic_that_takes_less_than_our_records_is_found(kafka: Broker, topics: Topics) -> None:
    topic = await topics.create("narrow", config={"max.message.bytes": "20000"})
    told = await found(kafka, topic, state=a_state_topic())
    (finding,) = [each for each in told if each.code != "single_replica"]
    assert (finding.code, finding.accepted_by) == ("topic_limit", "")
    assert "20000" in finding.sentence
    assert "900000" in finding.sentence


async def test_a_state_topic_that_forgets_is_found(kafka: Broker, topics: Topics) -> None:
    state = a_state_topic()
    await topics.create_named(state, config={"cleanup.policy": "delete"})
    told = await found(kafka, state=state)
    assert {each.code for each in told} == {"single_replica", "state_topic_not_compacted"}


async def test_a_sound_state_topic_is_fine_however_small_its_records(kafka: Broker, topics: Topics) -> None:
    state = a_state_topic()
    await topics.create_named(state, config={"cleanup.policy": "compact", "max.message.bytes": "100000"})
    assert {each.code for each in await found(kafka, state=state)} == {"single_replica"}


async def test_asking_makes_no_topic(kafka: Broker) -> None:
    state = a_state_topic()
    for _ in range(2):
        (finding,) = await found(kafka, "mistyped", state=state)
        assert finding.code == "topic_missing"


async def test_no_broker_is_retry() -> None:
    with pytest.raises(Retry) as refused:
        await findings(SETTINGS, ["any"], NEEDS, state_topic=a_state_topic())
    assert refused.value.code == "broker_unavailable"
