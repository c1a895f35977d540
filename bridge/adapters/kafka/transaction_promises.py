"""What the cluster promises less than transactions need (D3, D16)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from aiokafka import errors as foreign
from aiokafka.protocol.coordination import FindCoordinatorRequest

from bridge.adapters.kafka.admin import Topic, broker_config, describe_topics, topic_configs
from bridge.adapters.kafka.client import Client
from bridge.adapters.kafka.line import TRANSACTION_TIMEOUT_MS
from bridge.adapters.kafka.topic_promises import IN_SYNC, Finding, of_copies

TIMEOUT_LIMIT = "transaction.max.timeout.ms"
LOG_COPIES = "transaction.state.log.replication.factor"
LOG_IN_SYNC = "transaction.state.log.min.isr"
LOG_TOPIC = "__transaction_state"
OF_TRANSACTIONS = 1
NOT_ALLOWED_CODE = foreign.TransactionalIdAuthorizationFailed.errno


async def transaction_findings(client: Client, transactional_ids: Collection[str]) -> list[Finding]:
    """Empty when all is well; what may not be asked is found out by the first take-over, which is then refused."""
    found = [*_impatient(await broker_config(client, TIMEOUT_LIMIT)), *await _of_log(client)]
    for transactional_id in sorted(transactional_ids):
        answer = await client.send(client.get_random_node(), FindCoordinatorRequest(transactional_id, OF_TRANSACTIONS))
        if answer.error_code == NOT_ALLOWED_CODE:
            found.append(_not_allowed(transactional_id))
    return found


def _impatient(limit_ms: str | None) -> Iterator[Finding]:
    if limit_ms is not None and int(limit_ms) < TRANSACTION_TIMEOUT_MS:
        sentence = (
            f"the brokers have {TIMEOUT_LIMIT}={limit_ms}, and delivery: exactly_once needs transactions of"
            f" {TRANSACTION_TIMEOUT_MS} ms: raise it"
        )
        yield Finding(topic="", code="transaction_limit", sentence=sentence)


async def _of_log(client: Client) -> list[Finding]:
    """The brokers' own record of which transactions committed is as strong as its copies."""
    described = (await describe_topics(client, [LOG_TOPIC]))[LOG_TOPIC]
    if not described.error_code:
        configs = (await topic_configs(client, [LOG_TOPIC], [IN_SYNC])).get(LOG_TOPIC)
        return [] if configs is None else list(of_copies(LOG_TOPIC, described, configs))
    copies, in_sync = await broker_config(client, LOG_COPIES), await broker_config(client, LOG_IN_SYNC)
    return list(_log_to_be_made(int(copies), in_sync, len(client.cluster.brokers()))) if copies else []


def _log_to_be_made(copies: int, in_sync: str | None, brokers: int) -> Iterator[Finding]:
    """The brokers make it themselves at the first transaction of the cluster."""
    if copies > brokers:
        sentence = (
            f"the brokers keep their transaction log in {copies} copies ({LOG_COPIES}), and the cluster has {brokers}"
            " brokers: no transaction can begin; add brokers or lower it"
        )
        yield Finding(topic=LOG_TOPIC, code="transaction_log_impossible", sentence=sentence)
    else:
        future = Topic(error_code=0, partitions=0, replicas_min=copies, is_led=True)
        yield from of_copies(LOG_TOPIC, future, {IN_SYNC: in_sync})


def _not_allowed(transactional_id: str) -> Finding:
    return Finding(
        topic="",
        code="transactional_id_not_authorized",
        sentence=f"the transactional id {transactional_id} may not be used: allow Write and Describe on it",
    )
