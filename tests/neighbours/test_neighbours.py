"""The harness: each neighbour keeps what it acknowledged over a kill, can be paused, and leaves nothing behind."""

from pathlib import Path

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from typing_extensions import override

from tests.neighbours import Broker, Ledger
from tests.neighbours.process import LocalServer, listens
from tests.neighbours.topics import Topics


async def _send(bootstrap_servers: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def _read(bootstrap_servers: str, topic: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest") as consumer:
        return [bytes((await consumer.getone()).value) for _ in range(count)]


async def test_a_record_sent_to_a_fresh_topic_is_read_back(kafka: Broker, topics: Topics) -> None:
    topic = await topics.create("fresh", partitions=3, config={"max.message.bytes": "2000"})
    await _send(kafka.bootstrap_servers, topic, [b"one", b"two"])
    assert sorted(await _read(kafka.bootstrap_servers, topic, 2)) == [b"one", b"two"]


@pytest.mark.kafka_apache
async def test_acknowledged_records_survive_a_kill_of_the_broker(own_kafka: Broker) -> None:
    topics = Topics(own_kafka.bootstrap_servers)
    topic = await topics.create("kept")
    await _send(own_kafka.bootstrap_servers, topic, [b"%d" % n for n in range(50)])
    own_kafka.kill()
    assert not listens(own_kafka.port)
    own_kafka.restart()
    assert await _read(own_kafka.bootstrap_servers, topic, 50) == [b"%d" % n for n in range(50)]


@pytest.mark.kafka_apache
async def test_a_send_waits_out_a_paused_broker(own_kafka: Broker) -> None:
    topic = await Topics(own_kafka.bootstrap_servers).create("paused")
    async with AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(topic, b"before")
        own_kafka.pause()
        waiting = await producer.send(topic, b"during")
        assert not waiting.done()
        own_kafka.resume()
        assert (await waiting).offset == 1


def test_redis_is_empty_for_each_test_and_keeps_marks_over_a_kill(redis_url: str, own_redis: Ledger) -> None:
    with redis.Redis.from_url(redis_url) as shared:
        assert shared.dbsize() == 0
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("mark", "kept", ex=60)
    own_redis.kill()
    own_redis.restart()
    with redis.Redis.from_url(own_redis.url) as client:
        assert client.get("mark") == b"kept"


def test_a_server_that_ends_at_its_start_says_why(tmp_path: Path) -> None:
    class Broken(LocalServer):
        title = "broken server"
        real = False
        version = "0"

        @override
        def command(self) -> list[str]:
            return ["sh", "-c", "echo no configuration >&2; exit 7"]

        @override
        def is_ready(self) -> bool:
            return False

    with pytest.raises(RuntimeError, match=r"(?s)broken server ended at its start.*no configuration"):
        Broken(tmp_path).begin()
