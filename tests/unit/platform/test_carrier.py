"""The pool of connections, against a server of a few lines on the loopback that says what it is told."""

from __future__ import annotations

import asyncio
import gc
import shutil
import ssl
import subprocess
import weakref
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from bridge.adapters.platform.connection import HELD_BYTES_MAX, Connection
from tests.unit.platform.speaking import (
    ANSWER,
    CHUNKED,
    CUT,
    ENDLESS,
    SILENCE,
    Speaker,
    a_carrier,
    outgoing,
    read,
    spoken_to,
    then_closed,
    waiting,
)

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs the openssl command to make a certificate"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """And its key."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize("header", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\ud800"])
async def test_what_no_header_can_hold_is_not_sent(header: str) -> None:
    speaker = Speaker(ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        for headers in ({"x": header}, {header: "x"}):
            with pytest.raises(httpx.LocalProtocolError):
                await carrier.carry(outgoing(url, headers=headers))
    assert speaker.connections == 0


async def test_a_line_break_in_a_url_or_its_parameters_makes_no_second_line() -> None:
    speaker = Speaker(ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        with pytest.raises(httpx.InvalidURL):
            await carrier.carry(outgoing(url + "/a\r\nb: c"))
        assert speaker.connections == 0
        await read(carrier, outgoing(url, params=(("a", "\r\nb: c"),)))
    assert speaker.heads[0].startswith(b"GET /?a=%0D%0Ab%3A+c HTTP/1.1\r\n")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1/a", "/a", "http:///a", "https://", ""])
async def test_a_url_that_leads_nowhere_is_told_by_its_error(url: str) -> None:
    with pytest.raises(httpx.UnsupportedProtocol):
        await a_carrier().carry(outgoing(url))


@pytest.mark.parametrize(("method", "lengths"), [("POST", 1), ("PUT", 1), ("GET", 0), ("DELETE", 0)])
async def test_a_request_without_content_says_so_where_it_might_have_some(method: str, lengths: int) -> None:
    speaker = Speaker(ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        await read(carrier, outgoing(url, method))
    head = speaker.heads[0].lower()
    assert (head.count(b"content-length"), head.count(b"\r\ncontent-length: 0\r\n")) == (lengths, lengths)


@pytest.mark.parametrize("cut", [SILENCE, CUT, ENDLESS, CHUNKED + b"5\r\nhel"])
async def test_a_cancelled_request_takes_its_connection_with_it(cut: bytes) -> None:
    speaker = Speaker(cut, ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        reading = await waiting(carrier, speaker, url)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await speaker.gone.acquire()
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 2


@pytest.mark.parametrize("cut", [SILENCE, CUT, ENDLESS, CHUNKED + b"5\r\nhel"])
async def test_closing_the_carrier_ends_what_is_under_way_in_an_error(cut: bytes) -> None:
    speaker = Speaker(ANSWER, ANSWER, cut)
    async with spoken_to(speaker) as (carrier, url):
        await asyncio.gather(*(read(carrier, outgoing(url)) for _ in range(2)))
        reading = await waiting(carrier, speaker, url)
        await carrier.aclose()
        with pytest.raises(httpx.TransportError):
            await reading
        for _ in range(speaker.connections):
            await speaker.gone.acquire()


async def test_closing_the_carrier_may_be_cancelled() -> None:
    told: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    async with spoken_to(Speaker(ANSWER)) as (carrier, url):
        await read(carrier, outgoing(url))
        closing = asyncio.create_task(carrier.aclose())
        loop.call_soon(closing.cancel)
        with pytest.raises(asyncio.CancelledError):
            await closing
    assert told == []


async def test_a_carrier_that_was_closed_while_it_connected_has_no_connection() -> None:
    speaker = Speaker(ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        asking = asyncio.create_task(carrier.carry(outgoing(url)))
        await asyncio.sleep(0)
        await carrier.aclose()
        with pytest.raises(httpx.TransportError):
            await asking
    assert speaker.heads == []


@pytest.mark.parametrize("host", ["a..b", "a" * 64, f"{'a' * 64}.test"])
async def test_a_host_that_cannot_be_is_a_connect_error(host: str) -> None:
    with pytest.raises(httpx.ConnectError):
        await a_carrier().carry(outgoing(f"http://{host}/"))


async def test_a_free_connection_is_closed_after_its_time() -> None:
    speaker = Speaker(ANSWER, ANSWER)
    async with spoken_to(speaker, keepalive_s=0.01) as (carrier, url):
        for _ in range(2):
            assert await read(carrier, outgoing(url)) == (200, b"hello")
            await speaker.gone.acquire()
    assert speaker.connections == 2


async def test_requests_at_one_time_take_a_connection_each_and_all_are_kept() -> None:
    both_are_there = asyncio.Barrier(2)

    async def together(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await both_are_there.wait()
        writer.write(ANSWER)

    speaker = Speaker(*[together] * 4)
    async with spoken_to(speaker) as (carrier, url):
        for _ in range(2):
            await asyncio.gather(*(read(carrier, outgoing(url)) for _ in range(2)))
    assert speaker.connections == 2


@needs_openssl
async def test_a_server_that_is_trusted_is_spoken_to_under_tls(certificate: tuple[str, str]) -> None:
    body = bytes(range(256)) * (3 * HELD_BYTES_MAX // 256)
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    speaker = Speaker(ANSWER, large, then_closed(b"HTTP/1.1 200 OK\r\n\r\n" + body), ANSWER)
    async with spoken_to(speaker, certificate=certificate) as (carrier, url):
        for expected in (b"hello", body, body):
            assert await read(carrier, outgoing(url)) == (200, expected)
        assert speaker.connections == 1
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 2


@needs_openssl
async def test_a_server_that_is_not_trusted_is_asked_nothing(certificate: tuple[str, str]) -> None:
    speaker = Speaker(ANSWER)
    async with spoken_to(speaker, certificate=certificate) as (_, url):
        with pytest.raises(httpx.ConnectError) as caught:
            await a_carrier().carry(outgoing(url))
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert speaker.heads == []


async def test_who_shakes_no_hands_in_time_is_not_connected_to() -> None:
    is_gone = asyncio.Event()

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        is_gone.set()

    server = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(httpx.ConnectTimeout):
        await a_carrier().carry(outgoing(url, connect_timeout_s=0.05))
    await is_gone.wait()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("last", [ANSWER, SILENCE, CUT, ENDLESS, b"no HTTP", CHUNKED + b"zz\r\n"])
async def test_a_connection_that_has_ended_does_not_wait_for_the_collector(last: bytes) -> None:
    speaker = Speaker(ANSWER, last if last == ANSWER else then_closed(last))
    gc.disable()
    try:
        async with spoken_to(speaker) as (carrier, url):
            seen = weakref.WeakSet[Connection]()
            await read(carrier, outgoing(url))
            seen.update(carrier._open)
            assert len(seen) == 1
            with suppress(httpx.TransportError):
                assert await read(carrier, outgoing(url)) == (200, b"hello")
            await carrier.aclose()
            del carrier
        for _ in range(10):
            await asyncio.sleep(0)
        assert not seen
    finally:
        gc.enable()
