"""What one topic promises less than the records on it need (D16): judged from its description, as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aiokafka import errors as foreign

from bridge.adapters.kafka.admin import IN_SYNC_WANTED, Topic
from bridge.adapters.kafka.failures import failure_of_code
from bridge.adapters.kafka.state_topic import CLEANUP, SINGLE_REPLICA, UNCHECKED_TOPICS

IN_SYNC = "min.insync.replicas"
LIMIT = "max.message.bytes"
UNCLEAN = "unclean.leader.election.enable"
RETENTION = "retention.ms"
CONFIGS = (IN_SYNC, LIMIT, CLEANUP, UNCLEAN, RETENTION)

Configs = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A promise that is not kept. `accepted_by` is the word in `accept:` that lets it pass, empty where none does."""

    topic: str
    code: str
    sentence: str
    accepted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the records of a deployment ask of their topics: the largest one, and how long marks are kept."""

    record_bytes_max: int
    key_ttl_s: float


def of_output(name: str, topic: Topic, configs: Configs, needs: Needs) -> Iterator[Finding]:
    """Of a topic that results are published to."""
    yield from of_copies(name, topic, configs)
    yield from _small(name, configs, needs.record_bytes_max)
    yield from _compacted(name, configs)
    yield from _forgetful(name, configs, needs.key_ttl_s)


def of_state(name: str, topic: Topic, configs: Configs) -> Iterator[Finding]:
    """Of the state topic."""
    yield from of_copies(name, topic, configs)
    policy = configs.get(CLEANUP)
    if policy != "compact":
        yield Finding(
            topic=name,
            code="state_topic_not_compacted",
            sentence=(
                f"the state topic {name} has {CLEANUP}={policy}, which forgets pauses and generations:"
                " set it to compact"
            ),
        )


def of_copies(name: str, topic: Topic, configs: Configs) -> Iterator[Finding]:
    """Whether an ack outlives the broker that gave it (I1)."""
    in_sync = int(configs.get(IN_SYNC) or 1)
    if in_sync > topic.replicas_min:
        yield Finding(
            topic=name,
            code="in_sync_impossible",
            sentence=(
                f"the topic {name} has {IN_SYNC}={in_sync} and {topic.replicas_min} copies: no record can ever be"
                f" acked; lower the one or raise the other"
            ),
        )
    elif min(in_sync, topic.replicas_min) < IN_SYNC_WANTED:
        single = topic.replicas_min < IN_SYNC_WANTED
        why = "has a replication factor of 1" if single else f"has {IN_SYNC}={in_sync}"
        yield Finding(
            topic=name,
            code=SINGLE_REPLICA,
            sentence=f"the topic {name} {why}: the loss of one broker can lose acked records",
            accepted_by=SINGLE_REPLICA,
        )
    if configs.get(UNCLEAN) == "true":
        yield Finding(
            topic=name,
            code="unclean_election",
            sentence=(
                f"the topic {name} has {UNCLEAN}=true: a copy that lacks acked records may become the leader, and they"
                " are lost; set it to false"
            ),
            accepted_by="unclean_election",
        )


def _small(name: str, configs: Configs, record_bytes_max: int) -> Iterator[Finding]:
    limit = int(configs.get(LIMIT) or 0)
    if limit < record_bytes_max:
        yield Finding(
            topic=name,
            code="topic_limit",
            sentence=(
                f"the topic {name} takes {limit} bytes ({LIMIT}), and records may have {record_bytes_max}: raise it"
            ),
        )


def _compacted(name: str, configs: Configs) -> Iterator[Finding]:
    if "compact" in (configs.get(CLEANUP) or ""):
        yield Finding(
            topic=name,
            code="topic_compacted",
            sentence=(
                f"the topic {name} has {CLEANUP}={configs.get(CLEANUP)}: of each key only the last record stays, and a"
                " slow subscriber misses the others; set it to delete"
            ),
            accepted_by="compacted_topics",
        )


def _forgetful(name: str, configs: Configs, key_ttl_s: float) -> Iterator[Finding]:
    """Marks that Redis lost can be made again from the records, as long as these are there."""
    kept_ms = int(configs.get(RETENTION) or -1)
    if "delete" in (configs.get(CLEANUP) or "") and 0 <= kept_ms < key_ttl_s * 1000:
        yield Finding(
            topic=name,
            code="short_retention",
            sentence=(
                f"the topic {name} forgets records after {kept_ms / 1000:g} s ({RETENTION}), sooner than marks of them"
                f" (key_ttl, {key_ttl_s:g} s): marks that are lost cannot be made again from it; raise it"
            ),
            accepted_by="short_retention",
        )


def not_there(name: str, error_code: int) -> Finding:
    """Of a topic that cannot be described; `error_code` is Kafka's own."""
    error = foreign.for_code(error_code)
    if error is foreign.UnknownTopicOrPartitionError:
        sentence = f"the topic {name} does not exist: make it, or let it be made with kafka.topics.create"
    elif error is foreign.TopicAuthorizationFailedError:
        sentence = f"the topic {name} may not be seen: allow Describe and Write on it"
    else:
        sentence = f"the topic {name} cannot be used: {error.__name__}"
    return Finding(topic=name, code=failure_of_code(error_code).code, sentence=sentence)


def unchecked(name: str) -> Finding:
    """Of a topic whose settings we may not read."""
    return Finding(
        topic=name,
        code="topic_unchecked",
        sentence=f"the settings of the topic {name} may not be read: allow DescribeConfigs on it",
        accepted_by=UNCHECKED_TOPICS,
    )


def cannot_be_made(name: str, copies: int, brokers: int, *, is_state: bool) -> Iterator[Finding]:
    """Of a topic that is to be made."""
    if brokers < copies:
        sentence = f"the topic {name} is to be made with {copies} copies, and the cluster has {brokers} brokers"
        accepted_by = SINGLE_REPLICA if is_state else ""
        yield Finding(topic=name, code="too_few_brokers", sentence=sentence, accepted_by=accepted_by)
