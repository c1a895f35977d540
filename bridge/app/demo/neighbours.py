"""Kafka and Redis for the demo: the embedded pair, or given ones."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import os
import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.app.demo.broker_name import broker_name
from bridge.app.demo.children import Family, until
from bridge.app.demo.failures import DemoFailed, NeighbourMissing, said
from bridge.domain.errors import BridgeError
from bridge.ports import Clock

START_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 10.0
TOPICS_TIMEOUT_S = 60.0
TOPICS_POLL_S = 0.1
PORTS = range(15_000, 32_000)
"""Below Linux's ephemeral range, where a client that redials a port nobody listens on can be connected to itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Where they are. `broker` is Kafka's side by name and version."""

    kafka: str
    redis_url: str
    broker: str
    is_given: bool


async def start_neighbours(kafka: str | None, redis_url: str | None, family: Family, clock: Clock) -> Neighbours:
    """Starts what is not given, and asks all of it for a sign of life. Raises NeighbourMissing."""
    services = [name for name, given in (("kafka", kafka), ("redis", redis_url)) if given is None]
    ports = dict(zip(services, free_ports(), strict=False))
    if ports:
        await _start_embedded(ports, family, clock)
    at_kafka = kafka or f"127.0.0.1:{ports['kafka']}"
    at_redis = redis_url or f"redis://127.0.0.1:{ports['redis']}/0"
    await _ask_kafka(at_kafka)
    await _ask_redis(at_redis)
    broker = _embedded_name() if "kafka" in ports else await broker_name(at_kafka)
    return Neighbours(kafka=at_kafka, redis_url=at_redis, broker=broker, is_given=bool(kafka or redis_url))


def _embedded_name() -> str:
    return f"noida-db {importlib.metadata.version('noida-db')}"


async def _start_embedded(ports: Mapping[str, int], family: Family, clock: Clock) -> None:
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise NeighbourMissing(
            "the embedded broker is not installed: `pip install 'bridge[demo]'`, or give --kafka and --redis"
        )
    binary = Path(spec.origin).parent / "noida-db"
    at = [option for name, port in ports.items() for option in (f"--{name}-port", str(port))]
    data = ["--data-dir", str(family.directory / "embedded")]
    child = await family.start("embedded", [str(binary), "start", *data, "--only", ",".join(ports), *at], os.environ)
    await until(lambda: all(map(_listens, ports.values())) or None, child, clock, START_TIMEOUT_S, "the embedded pair")


def free_ports() -> Iterator[int]:
    """Loopback ports nobody listens on now."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        yield port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def _ask_kafka(bootstrap_servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=int(ANSWER_TIMEOUT_S * 1000))
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await admin.start()
    except (KafkaError, OSError, TimeoutError, ValueError) as error:
        raise NeighbourMissing(f"no Kafka answers at {bootstrap_servers}: {said(error)}") from error
    finally:
        await admin.close()


async def _ask_redis(url: str) -> None:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S), RedisLedger(RedisSettings(url=url)) as ledger:
            await ledger.ping()
    except (BridgeError, ValueError, OSError, TimeoutError) as error:
        raise NeighbourMissing(f"no Redis answers at the given URL: {said(error)}") from error


async def make_topics(
    bootstrap_servers: str, topics: Sequence[str], partitions: int, clock: Clock
) -> Mapping[str, int]:
    """Gives the partitions of each, once each has a leader. Those that are there already stay as they are."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        async with asyncio.timeout(TOPICS_TIMEOUT_S):
            await admin.start()
            answer = await admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics])
            for topic, code, *_ in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise DemoFailed(f"the topic {topic} could not be made: {for_code(code).__name__}")
            while (led := _led(await admin.describe_topics(list(topics)))).keys() != set(topics):
                # made a moment ago, and not yet known to every broker
                await clock.sleep(TOPICS_POLL_S)
            return led
    except (KafkaError, TimeoutError) as error:
        raise DemoFailed(f"the topics could not be made: {said(error)}") from error
    finally:
        await admin.close()


def _led(described: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """The number of partitions of each topic whose every partition has a leader."""
    return {
        topic["topic"]: len(topic["partitions"])
        for topic in described
        if topic["error_code"] == 0
        and topic["partitions"]
        and all(partition["leader"] >= 0 for partition in topic["partitions"])
    }
