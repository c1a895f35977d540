"""Questions and orders about topics, as single requests to the broker."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import errors as foreign
from aiokafka.protocol.admin import CreateTopicsRequest, DescribeConfigsRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.structs import TopicPartition

from bridge.adapters.kafka.client import Client

TOPIC_RESOURCE = 2
BROKER_RESOURCE = 4
READ_UNCOMMITTED = 0
READ_COMMITTED = 1
LATEST = -1
CREATE_TIMEOUT_MS = 10_000
IN_SYNC_WANTED = 2
"""With fewer in-sync copies than this an acked record can be lost with one disk (I1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What the cluster says of a topic; `error_code` is Kafka's own, 0 for none."""

    error_code: int
    partitions: int
    replicas_min: int
    is_led: bool
    """Every partition can be written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTopic:
    """A topic to be made."""

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]


async def describe_topics(client: Client, names: Collection[str]) -> dict[str, Topic]:
    """Each topic as it is now; asking makes none."""
    answer = await client.send(
        client.get_random_node(), MetadataRequest(sorted(names), allow_auto_topic_creation=False)
    )
    return {
        name: Topic(
            error_code=error_code,
            partitions=len(partitions),
            replicas_min=min((len(partition[3]) for partition in partitions), default=0),
            is_led=bool(partitions) and all(partition[2] >= 0 for partition in partitions),
        )
        for error_code, name, _, partitions in answer.topics
    }


async def topic_configs(
    client: Client, names: Collection[str], keys: Collection[str]
) -> dict[str, dict[str, str | None]]:
    """The settings in force for each topic. A topic is left out where we may not read them or the broker cannot say."""
    resources = [(TOPIC_RESOURCE, name, sorted(keys)) for name in sorted(names)]
    try:
        answer = await client.send(client.get_random_node(), DescribeConfigsRequest(resources))
    except foreign.IncompatibleBrokerVersion:
        return {}
    return {
        name: {entry[0]: entry[1] for entry in entries} for code, _, _, name, entries in answer.resources if not code
    }


async def broker_config(client: Client, key: str) -> str | None:
    """The setting in force at one broker; None where we may not read it or the broker cannot say."""
    node_id = client.get_random_node()
    try:
        answer = await client.send(node_id, DescribeConfigsRequest([(BROKER_RESOURCE, str(node_id), [key])]))
    except foreign.IncompatibleBrokerVersion:
        return None
    found = {entry[0]: entry[1] for code, _, _, _, entries in answer.resources if not code for entry in entries}
    return found.get(key)


async def end_offset(client: Client, topic: str, partition: int, isolation: int = READ_UNCOMMITTED) -> int:
    """Where the partition ends now, whatever is open in it; with READ_COMMITTED where its first open transaction began.

    Raises the broker's refusal.
    """
    leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
    if leader is None or leader < 0:
        raise foreign.LeaderNotAvailableError(topic)
    answer = await client.send(leader, OffsetRequest(-1, isolation, [(topic, [(partition, LATEST)])]))
    _, error_code, *_, offset = answer.topics[0][1][0]
    if error_code:
        raise foreign.for_code(error_code)(topic)
    return int(offset)


async def create_topic(client: Client, new: NewTopic) -> None:
    """Make a topic, or find it made. Raises the broker's refusal."""
    spelled: tuple[Any, ...] = (new.name, new.partitions, new.replication_factor, [], sorted(new.configs.items()))
    request = CreateTopicsRequest([spelled], CREATE_TIMEOUT_MS, validate_only=False)
    answer = await client.send(_controller(client), request)
    for _, error_code, *message in answer.topic_errors:
        error = foreign.for_code(error_code)
        if error_code and error is not foreign.TopicAlreadyExistsError:
            raise error(*message)


def in_sync_min(replication_factor: int) -> str:
    """What `min.insync.replicas` must be so that the loss of one copy loses nothing."""
    return str(min(IN_SYNC_WANTED, replication_factor))


def _controller(client: Client) -> Any:
    """Old clusters take orders at the controller only; new ones name any broker as such."""
    controller = client.cluster.controller
    return client.get_random_node() if controller is None else controller.nodeId
