"""What the cluster promises less than sharing the triggers needs (D2, D16): asked of the brokers, changing nothing."""

from __future__ import annotations

from collections.abc import Iterator

from aiokafka import errors as foreign
from aiokafka.client import CoordinationType
from aiokafka.protocol.group import HeartbeatRequest

from bridge.adapters.kafka.admin import Topic, describe_topics, topic_configs
from bridge.adapters.kafka.client import Client, check_settings, connected
from bridge.adapters.kafka.control_topic import own_control_topic
from bridge.adapters.kafka.own_topic import CLEANUP, UNKNOWN_TOPIC_CODE, OwnTopic
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.topic_promises import (
    CONFIGS,
    Configs,
    Finding,
    cannot_be_made,
    not_there,
    of_copies,
    unchecked,
)

NO_MEMBER = "bridge-asks"
NOT_ALLOWED_CODE = foreign.GroupAuthorizationFailedError.errno


async def group_findings(settings: KafkaSettings, deployment: str) -> list[Finding]:
    """Empty when all is well. Raises Retry or Blocked when nobody can be asked."""
    check_settings(settings)
    own = own_control_topic(deployment, settings.group)
    async with connected(settings, settings.publish_timeout_s, "the group cannot be checked") as client:
        topic = (await describe_topics(client, [own.name]))[own.name]
        configs = await topic_configs(client, [own.name], CONFIGS) if not topic.error_code else {}
        found = list(_of_control(own, topic, configs.get(own.name), settings, len(client.cluster.brokers())))
        return found if await _may_join(client, deployment) else [*found, _not_allowed(deployment)]


async def _may_join(client: Client, group: str) -> bool:
    """A heartbeat of nobody needs the right to join, and does nothing."""
    try:
        coordinator = await client.coordinator_lookup(CoordinationType.GROUP, group)
        await client.ready(coordinator)
        answer = await client.send(coordinator, HeartbeatRequest(group, -1, NO_MEMBER))
    except foreign.GroupAuthorizationFailedError:
        return False
    except foreign.GroupCoordinatorNotAvailableError:
        # A cluster that had no group before makes itself ready for one now; joining will tell.
        return True
    return bool(answer.error_code != NOT_ALLOWED_CODE)


def _of_control(
    own: OwnTopic, topic: Topic, configs: Configs | None, settings: KafkaSettings, brokers: int
) -> Iterator[Finding]:
    if topic.error_code == UNKNOWN_TOPIC_CODE:
        yield from cannot_be_made(own.name, settings.topics.replication_factor, brokers, is_state=True)
    elif topic.error_code:
        yield not_there(own.name, topic.error_code)
    else:
        yield from _of_shares(own, topic)
        yield from [unchecked(own.name)] if configs is None else _of_settings(own, topic, configs)


def _of_shares(own: OwnTopic, topic: Topic) -> Iterator[Finding]:
    if topic.partitions != own.partitions:
        sentence = f"the {own.title} {own.name} has {topic.partitions} partitions, and {own.why_partitions}"
        yield Finding(topic=own.name, code=f"{own.code}_partitions", sentence=sentence)


def _of_settings(own: OwnTopic, topic: Topic, configs: Configs) -> Iterator[Finding]:
    yield from of_copies(own.name, topic, configs)
    if (policy := configs.get(CLEANUP)) != own.policy:
        sentence = f"the {own.title} {own.name} has {CLEANUP}={policy}, {own.why_policy}: set it to {own.policy}"
        yield Finding(topic=own.name, code=f"{own.code}_not_kept_by_time", sentence=sentence)


def _not_allowed(group: str) -> Finding:
    sentence = f"the group {group} may not be joined: allow Read and Describe on it"
    return Finding(topic="", code="group_not_authorized", sentence=sentence)
