"""What redis-py's own road around a command did for us, still holds past it: no call reads another's answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bridge.adapters.redis_ledger.connect import PasswordFile
from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.domain.delivery import MarkKey
from bridge.domain.errors import Retry
from tests.contract.ledger.conftest import MakeLedger
from tests.contract.ledger.words import DISPUTES, mark_of, marks_of
from tests.neighbours import redis_server
from tests.neighbours.choice import Ledger as Server
from tests.neighbours.process import free_port
from tests.neighbours.redis_server import RedisServer

QUICK_S = 0.3
IN_BOUND_S = 2.0
ALL_MARKED, NONE_MARKED = b"$5\r\n11111\r\n", b"$5\r\n00000\r\n"
ASKED = marks_of(range(5))
MORE_THAN_BUFFERS_HOLD = [MarkKey(bytes(16))] * 700_000

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

needs_redis = pytest.mark.skipif(redis_server.missing() is not None, reason="needs redis-server itself")


@pytest.fixture
async def own(own_redis: Server) -> AsyncIterator[Redis]:
    async with Redis.from_url(own_redis.url) as operator:
        yield operator


@pytest.fixture
def private(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer.start(tmp_path / "private", args=["--requirepass", "first"])
    yield server
    server.stop()


def quick(url: str) -> RedisSettings:
    return RedisSettings(url=url, timeout_s=QUICK_S, connect_timeout_s=QUICK_S)


async def timed_out(call: Awaitable[object]) -> None:
    begun = time.monotonic()
    with pytest.raises(Retry) as raised:
        await call
    assert raised.value.code == "ledger_timeout"
    assert time.monotonic() - begun < IN_BOUND_S


async def cancelled(call: Awaitable[object]) -> None:
    task = asyncio.ensure_future(call)
    await asyncio.wait([task], timeout=QUICK_S / 3)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that knows no mark."""
    while await reader.read(10_000):
        writer.write(NONE_MARKED)


@asynccontextmanager
async def talking(*talks: Talk) -> AsyncIterator[str]:
    """A server that lets its client name its connection, and then has for each a talk of its own. Its URL."""
    left, ended = list(talks), list[asyncio.Event]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        mine = ended[-1]
        await reader.read(1000)
        writer.write(b"+OK\r\n")
        await left.pop(0)(reader, writer)
        writer.transport.abort()
        mine.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for each in ended:
            await each.wait()
        assert (len(ended), left) == (len(talks), []), "each talk had a connection, and there was none besides"


# Cut short


@pytest.mark.parametrize("said", [0, 6])
@pytest.mark.parametrize("cut_short", [timed_out, cancelled])
async def test_what_of_an_answer_comes_late_is_read_by_nobody(
    ledger_of: MakeLedger, cut_short: Callable[[Awaitable[object]], Awaitable[None]], said: int
) -> None:
    """Taken for an answer to the next question it would say marked of what was never sent: a loss (I7)."""

    async def halting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        writer.write(ALL_MARKED[:said])
        await asyncio.sleep(QUICK_S * 1.5)
        writer.write(ALL_MARKED[said:])

    async with talking(halting, answering) as url:
        ledger = ledger_of(quick(url))
        await cut_short(ledger.marked(DISPUTES, ASKED))
        assert await ledger.marked(DISPUTES, ASKED) == frozenset()
        await asyncio.sleep(QUICK_S * 2)
        assert await ledger.marked(DISPUTES, ASKED) == frozenset()
        await ledger.close()


@pytest.mark.parametrize("cut_short", [timed_out, cancelled])
async def test_after_half_of_a_question_the_connection_is_closed(
    ledger_of: MakeLedger, cut_short: Callable[[Awaitable[object]], Awaitable[None]]
) -> None:
    """Whoever came next would otherwise go on in the middle of the marks of another."""

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(QUICK_S * 2)

    async with talking(deaf, answering) as url:
        ledger = ledger_of(quick(url))
        await cut_short(ledger.mark(DISPUTES, MORE_THAN_BUFFERS_HOLD))
        assert await ledger.marked(DISPUTES, ASKED) == frozenset()
        await ledger.close()


async def test_an_answer_in_drops_ends_in_bound(ledger_of: MakeLedger) -> None:
    """Each of them comes in time, the whole does not."""

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        writer.write(b"$1000\r\n")
        for _ in range(20):
            writer.write(b"0")
            await asyncio.sleep(QUICK_S / 10)

    async with talking(dripping) as url:
        ledger = ledger_of(quick(url))
        await timed_out(ledger.marked(DISPUTES, ASKED))
        await ledger.close()


@pytest.mark.parametrize("scheme", ["redis", "redis+sentinel"])
async def test_a_server_that_takes_connections_and_says_nothing_times_out(ledger_of: MakeLedger, scheme: str) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.transport.abort()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        path = "/marks" if scheme == "redis+sentinel" else ""
        ledger = ledger_of(quick(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}"))
        for call in (ledger.marked(DISPUTES, ASKED), ledger.mark(DISPUTES, ASKED), ledger.ping(), ledger.findings()):
            await timed_out(call)
        await ledger.close()


@needs_redis
async def test_a_login_that_was_cut_short_is_no_login(
    ledger_of: MakeLedger, private: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "password"
    secret.write_text("first\n")
    ledger = ledger_of(
        RedisSettings(url=private.url, password_file=secret, timeout_s=QUICK_S, connect_timeout_s=QUICK_S)
    )

    async def hanging(self: PasswordFile) -> tuple[str]:
        await asyncio.sleep(IN_BOUND_S)
        return ("first",)

    with monkeypatch.context() as patch:
        patch.setattr(PasswordFile, "get_credentials_async", hanging)
        await timed_out(ledger.mark(DISPUTES, ASKED))
    await ledger.mark(DISPUTES, ASKED)


# Between two calls


async def test_a_connection_the_server_closed_is_replaced_before_the_next_call(
    ledger_of: MakeLedger, own: Redis, own_redis: Server
) -> None:
    ledger = ledger_of(quick(own_redis.url))
    await ledger.mark(DISPUTES, ASKED)
    for _ in range(3):
        for client in await own.client_list():
            if client["name"] == "bridge":
                await own.client_kill_filter(_id=client["id"])
        await asyncio.sleep(0.05)
        assert await ledger.marked(DISPUTES, ASKED) == frozenset(ASKED)


async def test_words_that_nobody_asked_for_are_not_taken_for_an_answer(ledger_of: MakeLedger) -> None:
    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10_000)
        writer.write(NONE_MARKED)
        await asyncio.sleep(0.05)
        writer.write(ALL_MARKED)
        await reader.read()

    async with talking(talkative, answering) as url:
        ledger = ledger_of(quick(url))
        assert await ledger.marked(DISPUTES, ASKED) == frozenset()
        await asyncio.sleep(0.2)
        assert await ledger.marked(DISPUTES, ASKED) == frozenset()
        await ledger.close()


# Errors that are answers


async def test_a_lost_script_costs_no_connection(ledger_of: MakeLedger, own: Redis, own_redis: Server) -> None:
    ledger = ledger_of(quick(own_redis.url))
    await ledger.mark(DISPUTES, ASKED)
    before = (await own.info("stats"))["total_connections_received"]
    for number in range(5):
        await own.script_flush()
        assert await ledger.marked(DISPUTES, [mark_of(number), mark_of(99)]) == {mark_of(number)}
    assert (await own.info("stats"))["total_connections_received"] == before


@needs_redis
async def test_a_demoted_server_is_left_by_every_connection(
    ledger_of: MakeLedger, own: Redis, own_redis: Server
) -> None:
    """Behind one name the next connection finds the new primary; here it is the old one, promoted again."""
    ledger = ledger_of(RedisSettings(url=own_redis.url))
    await asyncio.gather(*(ledger.mark(DISPUTES, ASKED) for _ in range(5)))
    await own.replicaof("127.0.0.1", str(free_port()))
    with pytest.raises(Retry) as raised:
        await ledger.mark(DISPUTES, ASKED)
    assert raised.value.code == "ledger_readonly"
    assert not [each for each in await own.client_list() if each["name"] == "bridge"]
    await own.replicaof("NO", "ONE")
    await ledger.mark(DISPUTES, ASKED)
    assert await ledger.marked(DISPUTES, ASKED) == frozenset(ASKED)


# Many


async def test_as_many_calls_at_once_as_were_allowed_have_a_connection_each(
    ledger_of: MakeLedger, own_redis: Server
) -> None:
    """More than the hundred that redis-py allows by itself."""
    settings = RedisSettings(url=own_redis.url, timeout_s=1.0, connections_max=130)
    ledger: RedisLedger = ledger_of(settings)
    await ledger.mark(DISPUTES, ASKED)
    own_redis.pause()
    answers = await asyncio.gather(*(ledger.marked(DISPUTES, ASKED) for _ in range(150)), return_exceptions=True)
    assert {each.code if isinstance(each, Retry) else str(each) for each in answers} == {"ledger_timeout"}
    own_redis.resume()
    assert await ledger.marked(DISPUTES, ASKED) == frozenset(ASKED)
