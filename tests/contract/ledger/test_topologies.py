"""The same ledger over TLS, behind sentinels and in a cluster, each for real on loopback."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio import Redis
from typing_extensions import override

from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.domain.errors import Retry
from bridge.domain.model import TriggerRef
from tests.contract.ledger.conftest import MakeLedger
from tests.contract.ledger.words import DISPUTES, mark_of, marks_of
from tests.neighbours import redis_server
from tests.neighbours.process import free_port
from tests.neighbours.redis_server import RedisServer

pytestmark = pytest.mark.skipif(redis_server.missing() is not None, reason="needs redis-server itself")

HEALED_S = 30.0
StartServer = Callable[..., RedisServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers that end with the test."""
    with ExitStack() as stack:

        def one(name: str, *args: str, port: int | None = None) -> RedisServer:
            server = RedisServer.start(tmp_path / name, port=port, args=args)
            stack.callback(server.stop)
            return server

        yield one


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Returns once it holds; what raises Retry does not hold yet."""
    deadline = time.monotonic() + HEALED_S
    while time.monotonic() < deadline:
        try:
            if await holds():
                return
        except Retry:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(f"did not come to hold within {HEALED_S:.0f} s")


# TLS (D20)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    where = tmp_path_factory.mktemp("tls")
    made = ["-keyout", str(where / "key.pem"), "-out", str(where / "cert.pem"), "-subj", "/CN=localhost"]
    shape = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(["openssl", "req", "-x509", *shape, *made], check=True, capture_output=True)
    return where / "cert.pem", where / "key.pem"


async def test_tls_is_verified(ledger_of: MakeLedger, start: StartServer, certificate: tuple[Path, Path]) -> None:
    cert, key = map(str, certificate)
    port = free_port()
    files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"]
    start("tls", "--tls-port", str(port), *files)
    trusting = ledger_of(RedisSettings(url=f"rediss://localhost:{port}/0", ssl_cafile=cert))
    await trusting.mark(DISPUTES, [mark_of(1)])
    assert await trusting.marked(DISPUTES, marks_of(range(3))) == {mark_of(1)}
    for refusing in (
        RedisSettings(url=f"rediss://localhost:{port}/0"),
        RedisSettings(url=f"rediss://127.0.0.1:{port}/0", ssl_cafile=cert),
        RedisSettings(url=f"redis://localhost:{port}/0"),
    ):
        with pytest.raises(Retry) as raised:
            await ledger_of(refusing).ping()
        assert raised.value.code == "ledger_unavailable"


# Sentinels


async def test_the_ledger_follows_the_sentinels_to_the_new_primary(
    ledger_of: MakeLedger, start: StartServer, tmp_path: Path
) -> None:
    first = start("first")
    second = start("second", "--replicaof", "127.0.0.1", str(first.port))
    rules = tmp_path / "sentinel.conf"
    rules.write_text(
        f"sentinel monitor marks 127.0.0.1 {first.port} 1\n"
        "sentinel down-after-milliseconds marks 500\n"
        "sentinel failover-timeout marks 3000\n"
    )
    sentinel = Watcher(tmp_path / "sentinel", rules)
    with ExitStack() as stack:
        stack.callback(sentinel.stop)
        sentinel.begin()
        nobody = free_port()
        url = f"redis+sentinel://127.0.0.1:{nobody},127.0.0.1:{sentinel.port}/marks/0"
        ledger = ledger_of(RedisSettings(url=url, timeout_s=2.0, connect_timeout_s=1.0))
        await ledger.mark(DISPUTES, [mark_of(1)])
        assert await ledger.marked(DISPUTES, marks_of(range(3))) == {mark_of(1)}
        async with Redis.from_url(second.url) as replica:
            await until(lambda: _linked(replica))
        first.kill()
        with pytest.raises(Retry):
            await ledger.mark(DISPUTES, [mark_of(2)])

        async def marks_again() -> bool:
            await ledger.mark(DISPUTES, [mark_of(2)])
            return await ledger.marked(DISPUTES, marks_of(range(3))) == {mark_of(1), mark_of(2)}

        await until(marks_again)
        assert await ledger.findings() == []
        unknown = ledger_of(RedisSettings(url=f"redis+sentinel://127.0.0.1:{sentinel.port}/other/0"))
        with pytest.raises(Retry) as raised:
            await unknown.ping()
        assert raised.value.code == "ledger_unavailable"


class Watcher(RedisServer):
    """A sentinel: the same program over a rule file that it writes back to."""

    def __init__(self, data_dir: Path, rules: Path) -> None:
        super().__init__(data_dir)
        self._rules = rules

    @override
    def command(self) -> list[str]:
        return ["redis-server", str(self._rules), "--sentinel", "--port", str(self.port), "--bind", "127.0.0.1"]

    @override
    def is_ready(self) -> bool:
        return "+monitor" in self.log_tail()


async def _linked(replica: Redis) -> bool:
    return (await replica.info("replication")).get("master_link_status") == "up"


# Cluster

SLOTS = 16_384


@pytest.fixture
async def cluster(start: StartServer) -> AsyncIterator[list[RedisServer]]:
    """Two nodes with half of the slots each."""
    nodes = [start(name, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000") for name in ("one", "two")]
    clients = [Redis.from_url(node.url) for node in nodes]
    try:
        await say(clients[0], "CLUSTER", "ADDSLOTSRANGE", 0, SLOTS // 2 - 1)
        await say(clients[1], "CLUSTER", "ADDSLOTSRANGE", SLOTS // 2, SLOTS - 1)
        await say(clients[0], "CLUSTER", "MEET", "127.0.0.1", nodes[1].port)
        await until(lambda: _whole(clients))
        yield nodes
    finally:
        for client in clients:
            await client.aclose()


async def _whole(clients: list[Redis]) -> bool:
    answers = [str(await say(client, "CLUSTER", "INFO")) for client in clients]
    return all("cluster_state:ok" in answer and "cluster_known_nodes:2" in answer for answer in answers)


async def say(client: Redis, *words: str | int) -> object:
    """A command that the client has no method for."""
    return await cast(Callable[..., Awaitable[object]], client.execute_command)(*words)


async def test_each_trigger_has_its_node_and_a_dead_node_heals(
    ledger_of: MakeLedger, cluster: list[RedisServer]
) -> None:
    ledger = ledger_of(
        RedisSettings(url=f"redis+cluster://127.0.0.1:{cluster[0].port}", timeout_s=2.0, connect_timeout_s=1.0)
    )
    triggers = [TriggerRef(project="org1", dataset="collateral", trigger=f"t{number}") for number in range(12)]
    for number, trigger in enumerate(triggers):
        await ledger.mark(trigger, [mark_of(number)])
    for number, trigger in enumerate(triggers):
        assert await ledger.marked(trigger, marks_of(range(20))) == {mark_of(number)}
    for node in cluster:
        async with Redis.from_url(node.url) as client:
            assert await client.dbsize() > 0
    assert await ledger.findings() == []
    await ledger.ping()

    cluster[1].kill()
    codes = {await code_of_marking(ledger.mark(trigger, [mark_of(99)])) for trigger in triggers}
    assert codes & {"ledger_unavailable", "ledger_timeout"}
    cluster[1].restart()

    async def all_there() -> bool:
        found = [await ledger.marked(trigger, marks_of(range(20))) for trigger in triggers]
        return found == [{mark_of(number)} for number in range(12)]

    await until(all_there)


async def code_of_marking(call: Awaitable[None]) -> str:
    try:
        await call
    except Retry as error:
        return error.code
    return ""
