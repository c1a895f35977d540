"""What only a real Redis can show: expiry, lost scripts, slow answers, full memory, the recorded format."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.adapters.redis_ledger.scripts import GRACE_MS_MAX, RING, lifetimes, ring_of
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.domain.delivery import MARK_KEY_BYTES, MarkKey, mark_key
from bridge.domain.errors import Retry
from bridge.domain.model import Generation, SequenceId
from tests.contract.ledger.conftest import MakeLedger
from tests.contract.ledger.words import DISPUTES, mark_of, marks_of
from tests.neighbours import redis_server
from tests.neighbours.choice import Ledger as Server
from tests.neighbours.redis_server import RedisServer

TTL_S = 0.2
QUICK_S = 0.3
"""Time-out of the ledger where a test makes Redis slow."""
IN_BOUND_S = 2.0

needs_redis = pytest.mark.skipif(redis_server.missing() is not None, reason="needs redis-server itself")


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as made:
        yield made


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis with a password and a small memory."""
    server = RedisServer.start(tmp_path / "own", args=["--requirepass", "first", "--maxmemory", "4mb"])
    yield server
    server.stop()


def with_password(url: str, password: str) -> str:
    return url.replace("redis://", f"redis://:{password}@")


# The format (D17)

RECORDED_RING = [f"bridge:1:{{org1/collateral/dispute}}:{slot}".encode() for slot in range(4)]
RECORDED_MARK = bytes.fromhex("469ebb222419eb6570e337ec4353af32")


def test_the_recorded_delivery_still_has_its_mark() -> None:
    assert mark_key(DISPUTES.identity, Generation(0), SequenceId("AAAB"), "urgent") == RECORDED_MARK


async def test_marks_of_the_recorded_format_are_read(ledger_of: MakeLedger, client: Redis, redis_url: str) -> None:
    for number, key in enumerate(RECORDED_RING):
        await client.sadd(key, mark_of(number), RECORDED_MARK)
    found = await ledger_of(RedisSettings(url=redis_url)).marked(
        DISPUTES, [*marks_of(range(5)), MarkKey(RECORDED_MARK)]
    )
    assert found == {*marks_of(range(4)), RECORDED_MARK}


async def test_marks_are_written_in_the_recorded_format(ledger_of: MakeLedger, client: Redis, redis_url: str) -> None:
    await ledger_of(RedisSettings(url=redis_url, key_ttl_s=3600)).mark(DISPUTES, [MarkKey(RECORDED_MARK)])
    keys = await client.keys("*")
    assert len(keys) == 1
    assert keys[0] in RECORDED_RING
    assert await client.smembers(keys[0]) == {RECORDED_MARK}
    assert 3600 + 600 <= await client.pttl(keys[0]) / 1000 <= 3600 * 1.5 + 600


# Time


async def test_a_mark_lives_its_ttl_and_not_much_longer(ledger_of: MakeLedger, redis_url: str) -> None:
    ledger = ledger_of(RedisSettings(url=redis_url, key_ttl_s=TTL_S))
    begun = time.monotonic()
    await ledger.mark(DISPUTES, [mark_of(1)])
    while await ledger.marked(DISPUTES, [mark_of(1)]):
        assert time.monotonic() - begun < TTL_S * 2 + IN_BOUND_S
        await asyncio.sleep(0.01)
    assert time.monotonic() - begun >= TTL_S


async def test_every_mark_lives_its_ttl_while_the_ring_turns(
    ledger_of: MakeLedger, client: Redis, redis_url: str
) -> None:
    """Marks all the time for three turns of the ring; none goes early and the sets do not grow for ever."""
    ledger = ledger_of(RedisSettings(url=redis_url, key_ttl_s=TTL_S))
    marked_at: dict[MarkKey, float] = {}
    ends = time.monotonic() + 3 * RING * TTL_S / 2
    while (now := time.monotonic()) < ends:
        fresh = mark_of(len(marked_at))
        await ledger.mark(DISPUTES, [fresh])
        marked_at[fresh] = now
        asked = [mark for mark, at in marked_at.items() if now - at < TTL_S * 2]
        found = await ledger.marked(DISPUTES, asked)
        done = time.monotonic()
        early = [mark for mark in asked if mark not in found and done - marked_at[mark] < TTL_S]
        assert not early
        await asyncio.sleep(0.002)
    kept = sum([await client.scard(key) for key in RECORDED_RING])
    young = sum(at > ends - TTL_S * 2.5 for at in marked_at.values())
    assert kept <= young < len(marked_at)


async def test_marking_frees_sets_past_due_and_no_others(ledger_of: MakeLedger, client: Redis, redis_url: str) -> None:
    ledger = ledger_of(RedisSettings(url=redis_url, key_ttl_s=86_400))
    _, ttl_ms, grace_ms = lifetimes(86_400)
    for left_ms in (grace_ms // 2, grace_ms + 60_000):
        await client.flushall()
        for number, key in enumerate(RECORDED_RING):
            await client.sadd(key, mark_of(number))
            await client.pexpire(key, left_ms)
        await ledger.mark(DISPUTES, [mark_of(9)])
        found = await ledger.marked(DISPUTES, marks_of(range(10)))
        assert mark_of(9) in found
        assert len(found) == (2 if left_ms < grace_ms else 5)
        assert max([await client.pttl(key) for key in RECORDED_RING]) > ttl_ms


async def test_a_shorter_ttl_does_not_shorten_what_was_promised(
    ledger_of: MakeLedger, client: Redis, redis_url: str
) -> None:
    await ledger_of(RedisSettings(url=redis_url, key_ttl_s=86_400)).mark(DISPUTES, [mark_of(1)])
    before = await client.pttl((await client.keys("*"))[0])
    hasty = ledger_of(RedisSettings(url=redis_url, key_ttl_s=2000))
    await hasty.mark(DISPUTES, [mark_of(2)])
    assert max([await client.pttl(key) for key in await client.keys("*")]) > before - 10_000
    assert await hasty.marked(DISPUTES, [mark_of(1), mark_of(2)]) == {mark_of(1), mark_of(2)}


@pytest.mark.parametrize("key_ttl_s", [0.001, 0.2, 60, 86_400, 30 * 86_400])
def test_a_slot_is_free_before_its_turn_comes(key_ttl_s: float) -> None:
    """A bucket's set is let go one TTL and one grace after the bucket's end, and its slot comes again after a ring."""
    width_ms, ttl_ms, grace_ms = lifetimes(key_ttl_s)
    assert ttl_ms >= key_ttl_s * 1000
    assert width_ms + ttl_ms + grace_ms <= RING * width_ms + 1
    assert 0 < grace_ms <= GRACE_MS_MAX


def test_the_keys_of_a_trigger_share_one_slot_of_a_cluster() -> None:
    assert ring_of(DISPUTES) == RECORDED_RING


# Scripts


async def test_a_server_that_lost_its_scripts_is_taught_again(
    ledger_of: MakeLedger, client: Redis, redis_url: str
) -> None:
    ledger = ledger_of(RedisSettings(url=redis_url))
    await ledger.mark(DISPUTES, [mark_of(1)])
    await client.script_flush()
    await ledger.mark(DISPUTES, [mark_of(2)])
    await client.script_flush()
    assert await ledger.marked(DISPUTES, marks_of(range(3))) == {mark_of(1), mark_of(2)}


async def test_each_call_is_one_command(ledger_of: MakeLedger, client: Redis, redis_url: str) -> None:
    ledger = ledger_of(RedisSettings(url=redis_url))
    await ledger.mark(DISPUTES, [mark_of(1)])
    await ledger.marked(DISPUTES, [mark_of(1)])
    await client.config_resetstat()
    await ledger.marked(DISPUTES, marks_of(range(3000)))
    await ledger.mark(DISPUTES, marks_of(range(3000)))
    stats = await client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 2
    sent = {name for name in stats if name not in ("cmdstat_config|resetstat", "cmdstat_info")}
    assert sent <= {
        f"cmdstat_{word}" for word in ("evalsha", "time", "pttl", "pexpire", "exists", "sadd", "smismember")
    }


async def test_a_mark_of_another_length_is_refused_before_anything_is_sent(
    ledger_of: MakeLedger, redis_url: str
) -> None:
    ledger = ledger_of(RedisSettings(url=redis_url))
    for wrong in ([MarkKey(b"short")], [MarkKey(b"x" * 15), MarkKey(b"x" * 17)]):
        with pytest.raises(ValueError, match="16 bytes"):
            await ledger.mark(DISPUTES, wrong)


# Outages (I7: nothing is lost, since every failure is a Retry in bound)


def quick(url: str) -> RedisSettings:
    return RedisSettings(url=url, timeout_s=QUICK_S, connect_timeout_s=QUICK_S)


async def test_a_slow_redis_is_a_retry_in_bound_and_its_late_answer_is_read_by_nobody(
    ledger_of: MakeLedger, own_redis: Server
) -> None:
    """A stale answer taken for a fresh one would say marked of what was never sent: a loss."""
    ledger = ledger_of(quick(own_redis.url))
    known, unknown = marks_of(range(5)), marks_of(range(100, 105))
    await ledger.mark(DISPUTES, known)
    for _ in range(3):
        own_redis.pause()
        begun = time.monotonic()
        with pytest.raises(Retry) as raised:
            await ledger.marked(DISPUTES, known)
        assert raised.value.code == "ledger_timeout"
        assert time.monotonic() - begun < IN_BOUND_S
        own_redis.resume()
        assert await ledger.marked(DISPUTES, unknown) == frozenset()
        assert await ledger.marked(DISPUTES, known) == frozenset(known)


async def test_a_cancelled_call_leaves_no_answer_behind(ledger_of: MakeLedger, own_redis: Server) -> None:
    ledger = ledger_of(RedisSettings(url=own_redis.url))
    known, unknown = marks_of(range(5)), marks_of(range(100, 105))
    await ledger.mark(DISPUTES, known)
    own_redis.pause()
    calls = [asyncio.create_task(ledger.marked(DISPUTES, known)) for _ in range(10)]
    await asyncio.wait(calls, timeout=0.05)
    for call in calls:
        call.cancel()
    assert all(
        isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*calls, return_exceptions=True)
    )
    own_redis.resume()
    answers = await asyncio.gather(*(ledger.marked(DISPUTES, unknown) for _ in range(10)))
    assert set(answers) == {frozenset()}


async def test_callers_beyond_the_connections_wait_in_bound_too(ledger_of: MakeLedger, own_redis: Server) -> None:
    ledger = ledger_of(RedisSettings(url=own_redis.url, timeout_s=QUICK_S, connections_max=2))
    await ledger.mark(DISPUTES, [mark_of(1)])
    own_redis.pause()
    begun = time.monotonic()
    calls = [ledger.marked(DISPUTES, [mark_of(1)]) for _ in range(20)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {each.code for each in answers if isinstance(each, Retry)} == {"ledger_timeout"}
    assert len([each for each in answers if isinstance(each, Retry)]) == 20
    assert time.monotonic() - begun < IN_BOUND_S
    own_redis.resume()
    assert await ledger.marked(DISPUTES, [mark_of(1)]) == {mark_of(1)}


async def test_a_killed_redis_is_a_retry_and_heals(ledger_of: MakeLedger, own_redis: Server) -> None:
    ledger = ledger_of(quick(own_redis.url))
    await ledger.mark(DISPUTES, [mark_of(1)])
    own_redis.kill()
    for call in (ledger.marked(DISPUTES, [mark_of(1)]), ledger.mark(DISPUTES, [mark_of(2)]), ledger.ping()):
        with pytest.raises(Retry) as raised:
            await call
        assert raised.value.code == "ledger_unavailable"
    own_redis.restart()
    await ledger.ping()
    await ledger.mark(DISPUTES, [mark_of(3)])
    assert mark_of(3) in await ledger.marked(DISPUTES, marks_of(range(4)))


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([], "ledger_unavailable"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "ledger_error"),
        ([b"+OK\r\n$5\r\n11111\r\n"], "ledger_unavailable"),
        ([b"+OK\r\n", b"$1000\r\n0101"], "ledger_unavailable"),
        ([b"+OK\r\n", b"$3\r\n010\r\n"], "ledger_error"),
        ([b"+OK\r\n", b":7\r\n"], "ledger_error"),
        ([b"+OK\r\n", b"-LOADING Redis is loading the dataset in memory\r\n"], "ledger_unavailable"),
    ],
)
async def test_what_is_no_answer_to_the_question_is_a_retry(
    ledger_of: MakeLedger, answers: list[bytes], code: str
) -> None:
    """The third speaks before it is asked: its answer must not be taken for one."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(1000)
            writer.write(answer)
        writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Retry) as raised:
            await ledger_of(quick(f"redis://127.0.0.1:{port}")).marked(DISPUTES, marks_of(range(5)))
    assert raised.value.code == code


@needs_redis
async def test_a_full_redis_says_so_and_still_answers(ledger_of: MakeLedger, own: RedisServer) -> None:
    ledger = ledger_of(RedisSettings(url=with_password(own.url, "first")))

    async def fill() -> None:
        for number in range(0, 100_000, 1000):
            await ledger.mark(DISPUTES, marks_of(range(number, number + 1000)))

    with pytest.raises(Retry) as raised:
        await fill()
    assert raised.value.code == "ledger_full"
    assert len(await ledger.marked(DISPUTES, marks_of(range(1000)))) == 1000


@needs_redis
async def test_a_wrong_password_is_named_and_never_shown(
    ledger_of: MakeLedger, own: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """I10."""
    for url in (own.url, with_password(own.url, "s3cret")):
        with pytest.raises(Retry) as raised:
            await ledger_of(RedisSettings(url=url)).ping()
        assert raised.value.code == "ledger_denied"
        assert "s3cret" not in f"{raised.value} {raised.value.__cause__} {caplog.text}"
    assert "s3cret" not in repr(RedisSettings(url="redis://:s3cret@r", password="s3cret"))


@needs_redis
async def test_a_password_file_is_read_again_without_a_restart(
    ledger_of: MakeLedger, own: RedisServer, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("first\n")
    ledger = ledger_of(RedisSettings(url=own.url, password_file=secret))
    await ledger.ping()
    async with Redis.from_url(with_password(own.url, "first")) as operator:
        await operator.config_set("requirepass", "second")
        await operator.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(Retry):
        await ledger.ping()
    secret.write_text("second\n")
    await ledger.ping()


@needs_redis
async def test_a_server_that_does_not_let_us_ask_is_a_finding(ledger_of: MakeLedger, own: RedisServer) -> None:
    async with Redis.from_url(with_password(own.url, "first")) as operator:
        await operator.acl_setuser(
            "bridge", enabled=True, passwords="+pw", keys=["bridge:*"], commands=["+@all", "-info"]
        )
    ledger = ledger_of(RedisSettings(url=own.url, username="bridge", password="pw"))
    await ledger.mark(DISPUTES, [mark_of(1)])
    assert [found.code for found in await ledger.findings()] == ["redis_unverified"]


@needs_redis
async def test_a_server_that_does_not_let_us_mark_is_a_finding(ledger_of: MakeLedger, own: RedisServer) -> None:
    """D16: said by `bridge check --online`; a running bridge shows it as a blocked trigger."""
    async with Redis.from_url(with_password(own.url, "first")) as operator:
        await operator.acl_setuser(
            "reader", enabled=True, passwords="+pw", keys=["bridge:*"], commands=["+@all", "-@scripting"]
        )
    ledger = ledger_of(RedisSettings(url=own.url, username="reader", password="pw"))
    (finding,) = await ledger.findings()
    assert (finding.code, finding.accepted_by) == ("ledger_denied", "")
    async with Redis.from_url(with_password(own.url, "first")) as operator:
        assert await operator.keys("*") == [], "asking leaves nothing behind"


@needs_redis
async def test_an_evicting_redis_is_a_finding(ledger_of: MakeLedger, own: RedisServer) -> None:
    """D16."""
    ledger = ledger_of(RedisSettings(url=with_password(own.url, "first")))
    assert await ledger.findings() == []
    async with Redis.from_url(with_password(own.url, "first")) as operator:
        await operator.config_set("maxmemory-policy", "allkeys-lru")
    assert [found.code for found in await ledger.findings()] == ["evicting_policy"]


@needs_redis
async def test_a_replica_takes_no_marks_and_says_so(
    ledger_of: MakeLedger, redis_server: Server, tmp_path: Path
) -> None:
    replica = RedisServer.start(tmp_path / "replica", args=["--replicaof", "127.0.0.1", str(redis_server.port)])
    try:
        ledger = ledger_of(RedisSettings(url=replica.url))
        with pytest.raises(Retry) as raised:
            await ledger.mark(DISPUTES, [mark_of(1)])
        assert raised.value.code == "ledger_readonly"
        assert [found.code for found in await ledger.findings()] == ["redis_is_replica"]
    finally:
        replica.stop()


@needs_redis
async def test_a_million_marks_cost_at_most_120_bytes_each(ledger_of: MakeLedger, tmp_path: Path) -> None:
    server = RedisServer.start(tmp_path / "million", args=["--appendonly", "no"])
    try:
        async with Redis.from_url(server.url) as client:
            before = (await client.info("memory"))["used_memory"]
            ledger = ledger_of(RedisSettings(url=server.url))
            for _ in range(0, 1_000_000, 5_000):
                blob = os.urandom(5_000 * MARK_KEY_BYTES)
                await ledger.mark(DISPUTES, [MarkKey(blob[at : at + 16]) for at in range(0, len(blob), MARK_KEY_BYTES)])
            assert sum([await client.scard(key) for key in RECORDED_RING]) == 1_000_000
            assert (await client.info("memory"))["used_memory"] - before <= 120 * 1_000_000
    finally:
        server.kill()


async def test_a_closed_ledger_leaves_no_connection(redis_url: str, client: Redis) -> None:
    async with RedisLedger(RedisSettings(url=redis_url)) as ledger:
        await asyncio.gather(*(ledger.ping() for _ in range(5)))
        assert len([each for each in await client.client_list() if each["name"] == "bridge"]) >= 1
    for _ in range(100):
        if not [each for each in await client.client_list() if each["name"] == "bridge"]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a connection was left open")
