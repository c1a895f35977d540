"""Whether the cluster keeps what the configuration promises (D16), as sentences for an operator."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from aiokafka import errors as foreign

from bridge.adapters.kafka.admin import IN_SYNC_WANTED, Topic, broker_config, describe_topics, topic_configs
from bridge.adapters.kafka.client import check_settings, connected
from bridge.adapters.kafka.failures import failure_of_code
from bridge.adapters.kafka.line import TRANSACTION_TIMEOUT_MS
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_topic import CLEANUP, SINGLE_REPLICA, UNCHECKED_TOPICS, UNKNOWN_TOPIC_CODE

IN_SYNC = "min.insync.replicas"
LIMIT = "max.message.bytes"
TRANSACTION_LIMIT = "transaction.max.timeout.ms"

Configs = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A promise that is not kept. `accepted_by` is the word in `accept:` that lets it pass, empty where none does."""

    topic: str
    code: str
    sentence: str
    accepted_by: str = ""


async def findings(
    settings: KafkaSettings,
    topics: Collection[str],
    *,
    record_bytes_max: int,
    state_topic: str,
    transactional: bool = False,
) -> list[Finding]:
    """Ask the cluster about the topics that are published to and the state topic; empty when all is well.

    `transactional`: some trigger is to be carried in transactions. A missing topic is none where the configuration has
    topics made. Raises Retry or Blocked when nobody can be asked, Fatal for settings that cannot work.
    """
    check_settings(settings)
    names = {*topics, state_topic}
    async with connected(settings, settings.publish_timeout_s, "kafka cannot be checked") as client:
        described = await describe_topics(client, names)
        there = [name for name, topic in described.items() if not topic.error_code]
        configs = await topic_configs(client, there, [IN_SYNC, LIMIT, CLEANUP]) if there else {}
        brokers = len(client.cluster.brokers())
        patience_ms = await broker_config(client, TRANSACTION_LIMIT) if transactional else None
    found: list[Finding] = _impatient(patience_ms)
    for name in sorted(names):
        topic, is_state = described[name], name == state_topic
        if topic.error_code == UNKNOWN_TOPIC_CODE and (is_state or settings.topics.create):
            found += _cannot_be_made(name, settings.topics.replication_factor, brokers, is_state=is_state)
        elif topic.error_code:
            found += [_not_there(name, topic.error_code)]
        elif name not in configs:
            found += [_unchecked(name)]
        else:
            found += _weak(name, topic, configs[name])
            found += _unfit_state(name, configs[name]) if is_state else _small(name, configs[name], record_bytes_max)
    return found


def _impatient(patience_ms: str | None) -> list[Finding]:
    """A broker that may not be asked is found out by the first take-over, which it then refuses."""
    if patience_ms is None or int(patience_ms) >= TRANSACTION_TIMEOUT_MS:
        return []
    sentence = (
        f"the brokers have {TRANSACTION_LIMIT}={patience_ms}, and delivery: exactly_once needs transactions of"
        f" {TRANSACTION_TIMEOUT_MS} ms: raise it"
    )
    return [Finding(topic="", code="transaction_limit", sentence=sentence)]


def _cannot_be_made(name: str, copies: int, brokers: int, *, is_state: bool) -> list[Finding]:
    if brokers >= copies:
        return []
    sentence = f"the topic {name} is to be made with {copies} copies, and the cluster has {brokers} brokers"
    return [
        Finding(topic=name, code="too_few_brokers", sentence=sentence, accepted_by=SINGLE_REPLICA if is_state else "")
    ]


def _not_there(name: str, error_code: int) -> Finding:
    error = foreign.for_code(error_code)
    if error is foreign.UnknownTopicOrPartitionError:
        sentence = f"the topic {name} does not exist: make it, or let it be made with kafka.topics.create"
    elif error is foreign.TopicAuthorizationFailedError:
        sentence = f"the topic {name} may not be seen: allow Describe and Write on it"
    else:
        sentence = f"the topic {name} cannot be used: {error.__name__}"
    return Finding(topic=name, code=failure_of_code(error_code).code, sentence=sentence)


def _unchecked(name: str) -> Finding:
    return Finding(
        topic=name,
        code="topic_unchecked",
        sentence=f"the settings of the topic {name} may not be read: allow DescribeConfigs on it",
        accepted_by=UNCHECKED_TOPICS,
    )


def _weak(name: str, topic: Topic, configs: Configs) -> list[Finding]:
    """An ack that stands for one copy is lost with it."""
    in_sync = int(configs.get(IN_SYNC) or 1)
    if topic.replicas_min < IN_SYNC_WANTED:
        why = "has a replication factor of 1"
    elif in_sync < IN_SYNC_WANTED:
        why = f"has {IN_SYNC}={in_sync}"
    else:
        return []
    sentence = f"the topic {name} {why}: the loss of one broker can lose acked records"
    return [Finding(topic=name, code=SINGLE_REPLICA, sentence=sentence, accepted_by=SINGLE_REPLICA)]


def _small(name: str, configs: Configs, record_bytes_max: int) -> list[Finding]:
    limit = int(configs.get(LIMIT) or 0)
    if limit >= record_bytes_max:
        return []
    sentence = f"the topic {name} takes {limit} bytes ({LIMIT}), and records may have {record_bytes_max}: raise it"
    return [Finding(topic=name, code="topic_limit", sentence=sentence)]


def _unfit_state(name: str, configs: Configs) -> list[Finding]:
    policy = configs.get(CLEANUP)
    if policy == "compact":
        return []
    sentence = f"the state topic {name} has {CLEANUP}={policy}, which forgets pauses and generations: set it to compact"
    return [Finding(topic=name, code="state_topic_not_compacted", sentence=sentence)]
