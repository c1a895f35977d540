"""Fixtures every kind of test may ask for; the neighbours start at the first use, once."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from tests.neighbours import choice as chosen
from tests.neighbours.sandbox import Sandbox
from tests.neighbours.topics import Topics

REQUIRE_REAL = "BRIDGE_REQUIRE_REAL"


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chosen.Broker]:
    """The run's broker; never kill or pause it: `own_kafka` is for that."""
    broker = chosen.start_kafka(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chosen.Ledger]:
    """The run's Redis; never kill or pause it: `own_redis` is for that."""
    server = chosen.start_redis(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chosen.Broker]:
    """A broker of this test alone, to be killed, paused and restarted."""
    broker = chosen.start_kafka(tmp_path_factory.mktemp("own-kafka"))
    yield broker
    broker.stop()


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chosen.Ledger]:
    """A Redis of this test alone, to be killed, paused and restarted."""
    server = chosen.start_redis(tmp_path_factory.mktemp("own-redis"))
    yield server
    server.stop()


@pytest.fixture
async def topics(kafka: chosen.Broker) -> AsyncIterator[Topics]:
    """Makes uniquely named topics on `kafka` and removes them afterwards."""
    made = Topics(kafka.bootstrap_servers)
    yield made
    await made.remove_all()


@pytest.fixture
def redis_url(redis_server: chosen.Ledger) -> str:
    """An empty database of the run's Redis."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A platform server of this test alone: `url`, `token`, and `kill` and `restart` over the same file."""
    server = Sandbox.start(tmp_path_factory.mktemp("sandbox"))
    yield server
    server.stop()


def pytest_configure() -> None:
    """Refuses the run when the neighbours that were asked for by name cannot be had."""
    try:
        chosen.choose()
    except chosen.CannotChoose as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header() -> str:
    """Says before the first test which neighbours the run takes, and why."""
    return f"neighbours: {chosen.choose().described}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that only Apache Kafka can judge is skipped aloud on the embedded broker."""
    choice = chosen.choose()
    if choice.kind == "embedded" and item.get_closest_marker("kafka_apache"):
        pytest.skip(f"needs Apache Kafka: {choice.described}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that must judge by the real neighbours fails when it did not."""
    if os.environ.get(REQUIRE_REAL) == "1" and not chosen.all_real() and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Ends every run with what really ran."""
    why = chosen.choose().why
    terminalreporter.write_line(f"neighbours: {chosen.what_ran()}" + (f" ({why})" if why else ""))
    if os.environ.get(REQUIRE_REAL) == "1" and not chosen.all_real():
        terminalreporter.write_line(f"{REQUIRE_REAL}=1: this run needs Apache Kafka and Redis themselves", red=True)
