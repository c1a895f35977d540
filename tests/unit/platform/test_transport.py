"""What carries requests to the platform, against a server of a few lines that says what it is told."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.exchange import SAME_HEADERS
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.transport import is_proxied
from bridge.domain.errors import Retry
from tests.fakes.clock import FakeClock
from tests.unit.platform.answering import REF, TOKEN
from tests.unit.platform.speaking import ANSWER, SILENCE, Speaker, a_carrier, outgoing, read, spoken_to, then_closed


async def test_the_request_goes_out_as_it_was_made() -> None:
    """Escapes in the path are the caller's, and no header is added that was not asked for."""
    speaker = Speaker(ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        headers = {**SAME_HEADERS, "authorization": "Bearer t"}
        asked = outgoing(f"{url}/a%2Fb/%7Ec?x=%20", "POST", content=b"{}", headers=headers)
        assert await read(carrier, asked) == (200, b"hello")
    head = speaker.heads[0].decode().lower()
    assert head.startswith("post /a%2fb/%7ec?x=%20 http/1.1\r\n")
    assert "authorization: bearer t\r\n" in head
    assert "content-type" not in head
    assert head.count("user-agent:") == head.count("content-length:") == head.count("accept-encoding:") == 1


async def test_parameters_are_written_into_the_url_and_who_is_before_the_host_is_not() -> None:
    speaker = Speaker(ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        await read(carrier, outgoing(url.replace("//", "//me:secret@") + "/p", params=(("uid", "a b"), ("uid", "c&d"))))
    head = speaker.heads[0].decode()
    assert head.startswith("GET /p?uid=a+b&uid=c%26d HTTP/1.1\r\n")
    assert "authorization" not in head.lower()


async def test_a_connection_is_kept_behind_an_answer_that_was_read_whole_and_only_then() -> None:
    speaker = Speaker(ANSWER, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        await read(carrier, outgoing(url))
        answer = await carrier.carry(outgoing(url))
        await answer.aclose()  # the rest is still to come
        assert speaker.connections == 1
        await read(carrier, outgoing(url))
    assert speaker.connections == 2


async def test_nothing_is_decoded_followed_or_remembered() -> None:
    """Compression, redirects and cookies are the business of others, or of nobody."""
    moved = b"HTTP/1.1 302 Found\r\nLocation: /there\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nraw"
    speaker = Speaker(moved, packed)
    async with spoken_to(speaker) as (carrier, url):
        assert await read(carrier, outgoing(url)) == (302, b"")
        assert await read(carrier, outgoing(url)) == (200, b"raw")
    assert b"cookie" not in speaker.heads[1].lower()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_a_kept_connection_that_is_closed_ends_in_an_error_and_in_no_second_request(method: str) -> None:
    speaker = Speaker(ANSWER, b"", ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        await read(carrier, outgoing(url, method))
        with pytest.raises(httpx.RemoteProtocolError):
            await read(carrier, outgoing(url, method))
    assert len(speaker.heads) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", httpx.RemoteProtocolError),
        (b"no HTTP at all\r\n\r\n", httpx.RemoteProtocolError),
    ],
)
async def test_a_broken_answer_is_an_error_of_httpx(answer: bytes, error: type[httpx.TransportError]) -> None:
    speaker = Speaker(then_closed(answer))
    async with spoken_to(speaker) as (carrier, url):
        with pytest.raises(error):
            await read(carrier, outgoing(url))


async def test_who_does_not_answer_in_time_is_given_up_with_the_connection() -> None:
    """The carrier itself waits for ever: the deadline over the whole request is the only one."""
    speaker = Speaker(SILENCE)
    async with spoken_to(speaker) as (_, url):
        settings = PlatformSettings(base_url=url, token=TOKEN, timeout_s=0.05)
        async with PlatformClient(settings, FakeClock()) as client:
            with pytest.raises(Retry) as caught:
                await client.fetch(REF, 7)
    assert caught.value.code == "timeout"
    assert len(speaker.heads) == 1


async def test_nobody_there_is_a_connect_error() -> None:
    async with spoken_to(Speaker()) as (_, url):
        pass
    carrier = a_carrier()
    with pytest.raises(httpx.ConnectError):
        await carrier.carry(outgoing(url))
    await carrier.aclose()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"HTTPS_PROXY": "http://proxy:3128"}, True),
        ({"ALL_PROXY": "proxy:3128"}, True),
        ({"NO_PROXY": "a"}, False),
    ],
)
def test_a_proxy_in_the_environment_is_seen(
    environ: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert is_proxied() is expected


async def test_a_request_takes_the_proxy_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    page = b'{"status":"ok","filtered":0,"sequence_id":"s","is_end_sequence":true,"results":[]}'
    speaker = Speaker(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page))
    proxy = await asyncio.start_server(speaker, "127.0.0.1", 0)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    settings = PlatformSettings(base_url="http://platform.test", token=TOKEN, allow_insecure=True)
    async with PlatformClient(settings, FakeClock()) as client:
        batch = await client.fetch(REF, 7)
    proxy.close()
    await proxy.wait_closed()
    assert batch.sequence_id == "s"
    head = speaker.heads[0].decode()
    assert head.startswith("POST http://platform.test/api/v1/datasets/org1/collateral/triggers/dispute/fetch HTTP/1.1")
    assert f"Bearer {TOKEN}" in head
    assert "bridge/" in head
