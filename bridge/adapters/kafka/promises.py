"""Whether the cluster keeps what the configuration promises (D16): asked of the brokers, changing nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from bridge.adapters.kafka.admin import Topic, describe_topics, topic_configs
from bridge.adapters.kafka.client import Client, check_settings, connected
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_topic import UNKNOWN_TOPIC_CODE
from bridge.adapters.kafka.topic_promises import (
    CONFIGS,
    Configs,
    Finding,
    Needs,
    cannot_be_made,
    not_there,
    of_output,
    of_state,
    unchecked,
)
from bridge.adapters.kafka.transaction_promises import transaction_findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the cluster says of some topics; `configs` has those whose settings we may read."""

    topics: Mapping[str, Topic]
    configs: Mapping[str, Configs]
    brokers: int


async def findings(
    settings: KafkaSettings,
    topics: Collection[str],
    needs: Needs,
    *,
    state_topic: str,
    transactional_ids: Collection[str] = (),
) -> list[Finding]:
    """Ask the cluster about the topics that are published to and the state topic; empty when all is well.

    `transactional_ids`: of the triggers that are carried in transactions. A missing topic is none where the
    configuration has topics made. Raises Retry or Blocked when nobody can be asked, Fatal for impossible settings.
    """
    check_settings(settings)
    names = {*topics, state_topic}
    async with connected(settings, settings.publish_timeout_s, "kafka cannot be checked") as client:
        described = await _described(client, names)
        found = await transaction_findings(client, transactional_ids) if transactional_ids else []
    for name in sorted(names):
        found += _of_topic(name, described, settings, needs, is_state=name == state_topic)
    return found


async def _described(client: Client, names: Collection[str]) -> Described:
    topics = await describe_topics(client, names)
    there = [name for name, topic in topics.items() if not topic.error_code]
    configs = await topic_configs(client, there, CONFIGS) if there else {}
    return Described(topics=topics, configs=configs, brokers=len(client.cluster.brokers()))


def _of_topic(
    name: str, described: Described, settings: KafkaSettings, needs: Needs, *, is_state: bool
) -> Iterator[Finding]:
    topic, configs = described.topics[name], described.configs.get(name)
    if topic.error_code == UNKNOWN_TOPIC_CODE and (is_state or settings.topics.create):
        copies = settings.topics.replication_factor
        yield from cannot_be_made(name, copies, described.brokers, is_state=is_state)
    elif topic.error_code:
        yield not_there(name, topic.error_code)
    elif configs is None:
        yield unchecked(name)
    elif is_state:
        yield from of_state(name, topic, configs)
    else:
        yield from of_output(name, topic, configs, needs)
