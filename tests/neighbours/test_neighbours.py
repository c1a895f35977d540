"""The harness: each neighbour keeps what it acknowledged over a kill, can be paused, and leaves nothing behind."""

import os
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from typing_extensions import override

from tests.neighbours import ApacheKafka, Broker, EmbeddedRedis, Ledger, RedisServer, choice
from tests.neighbours.process import LocalServer, listens
from tests.neighbours.topics import Topics
from tests.neighbours.transaction_log import is_between_verdict_and_markers


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
async def test_a_broker_is_known_to_stand_between_a_verdict_and_its_markers(own_kafka: Broker, tmp_path: Path) -> None:
    """Its log cut off at every byte is what a kill at that moment leaves."""
    if not isinstance(own_kafka, ApacheKafka):
        pytest.skip("needs a broker whose files can be read")
    topic = await Topics(own_kafka.bootstrap_servers).create("decided")
    async with (
        AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap_servers, transactional_id="decider") as producer,
        producer.transaction(),
    ):
        await producer.send_and_wait(topic, b"one")
    own_kafka.stop()
    written = own_kafka.data_dir / "log"
    assert not is_between_verdict_and_markers(written)
    (segment,) = (each for each in written.glob("__transaction_state-*/*.log") if each.stat().st_size)
    whole = segment.read_bytes()
    cut = tmp_path / segment.relative_to(written)
    cut.parent.mkdir()
    found = []
    for size in range(len(whole)):
        cut.write_bytes(whole[:size])
        found.append(is_between_verdict_and_markers(tmp_path))
    assert [each for each, _ in groupby(found)] == [False, True], (
        "decided from its verdict to its end, and then never more"
    )


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


def test_redis_is_empty_for_each_test(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("mark", "left behind")


def test_redis_is_empty_after_a_test_that_left_marks(redis_url: str) -> None:
    test_redis_is_empty_for_each_test(redis_url)


def test_redis_keeps_marks_over_a_kill(own_redis: Ledger) -> None:
    if not own_redis.real:
        pytest.skip(f"needs Redis itself: {own_redis.title} loses its last second")
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


SLEEPER = """
import sys
from pathlib import Path
from typing_extensions import override
from tests.neighbours.process import LocalServer
class Sleeper(LocalServer):
    title, real, version = "sleeper", False, "0"
    def command(self): return ["sh", "-c", "echo ready; exec sleep 300"]
    def is_ready(self): return "ready" in self.log_tail()
server = Sleeper(Path(sys.argv[1]))
server.begin()
print(server.pid, flush=True)
"""


def _group_is_gone(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("end", ["raise SystemExit", "raise RuntimeError", "import os; os._exit(3)"])
def test_no_server_outlives_the_interpreter_that_started_it(tmp_path: Path, end: str) -> None:
    command = [sys.executable, "-c", SLEEPER + end, str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    pid = int(done.stdout)
    deadline = time.monotonic() + 5
    while not _group_is_gone(pid):
        assert time.monotonic() < deadline, f"process group {pid} is left behind"


def _pytest(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_one.py").write_text("def test_that_starts_no_neighbour(): pass")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
    command += ["-p", "tests.conftest", "-o", "markers=kafka_apache", str(tmp_path)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


def test_a_run_that_needs_the_real_ones_fails_when_they_did_not_run(tmp_path: Path) -> None:
    done = _pytest(tmp_path, BRIDGE_REQUIRE_REAL="1", BRIDGE_TEST_NEIGHBOURS="auto")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert "neighbours: not started" in done.stdout
    assert "needs Apache Kafka and Redis themselves" in done.stdout


def test_a_kind_that_is_not_known_is_refused_before_the_first_test(tmp_path: Path) -> None:
    done = _pytest(tmp_path, BRIDGE_REQUIRE_REAL="0", BRIDGE_TEST_NEIGHBOURS="bogus")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "expected auto, apache, embedded or docker" in done.stderr


def test_only_the_real_pair_counts_as_real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def ran(*servers: choice.Server) -> bool:
        monkeypatch.setattr(choice, "started", list(servers))
        return choice.all_real()

    kafka, redis_ = ApacheKafka(tmp_path / "kafka"), RedisServer(tmp_path / "redis")
    assert ran(kafka, redis_)
    assert not ran(kafka)
    assert not ran(kafka, EmbeddedRedis(tmp_path / "embedded"))
    assert not ran(kafka, redis_, EmbeddedRedis(tmp_path / "embedded"))
