"""What a connection does where an answer could be taken for what it is not: cut, late, refused, or nobody's (I1)."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from bridge.adapters.platform.connection import HEAD_BYTES_MAX, HELD_PARTS_MAX, SMALL_REQUEST_BYTES
from tests.unit.platform.speaking import (
    ANSWER,
    CHUNKED,
    ENDLESS,
    Speaker,
    a_carrier,
    body_of,
    outgoing,
    read,
    spoken_to,
    then_closed,
)

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno"


async def test_an_answer_that_we_cut_ourselves_is_not_whole() -> None:
    """Without a length its end is the connection's, but only where the server ended it."""
    speaker = Speaker(ENDLESS)
    async with spoken_to(speaker) as (carrier, url):
        reading = asyncio.create_task(body_of(await carrier.carry(outgoing(url))))
        await asyncio.sleep(0)
        await carrier.aclose()
        with pytest.raises(httpx.RemoteProtocolError):
            await reading


async def test_a_connection_is_not_used_beyond_its_time_even_before_it_is_closed() -> None:
    speaker = Speaker(ANSWER, ANSWER)
    async with spoken_to(speaker, keepalive_s=0.0) as (carrier, url):
        await read(carrier, outgoing(url))
        await read(carrier, outgoing(url))
    assert speaker.connections == 2


@pytest.mark.parametrize(("content_bytes", "connections"), [(SMALL_REQUEST_BYTES // 2, 1), (SMALL_REQUEST_BYTES, 2)])
async def test_who_refuses_a_large_request_may_not_have_read_it(content_bytes: int, connections: int) -> None:
    """The rest of it would be the next request to such a server."""
    speaker = Speaker(TOO_LARGE, ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        assert await read(carrier, outgoing(url, "POST", content=b"x" * content_bytes)) == (413, b"no")
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == connections


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"no HTTP at all\r\n\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", "no HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * HEAD_BYTES_MAX, "larger than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "closed before"),
    ],
)
async def test_the_first_reason_is_the_one_that_is_told(answer: bytes, said: str) -> None:
    async with spoken_to(Speaker(then_closed(answer))) as (carrier, url):
        with pytest.raises(httpx.RemoteProtocolError, match=said):
            await read(carrier, outgoing(url))


async def test_a_trailer_has_a_bound() -> None:
    answer = CHUNKED + b"5\r\nhello\r\n0\r\n" + b"X: " + b"y" * (16 * HEAD_BYTES_MAX)
    async with spoken_to(Speaker(answer)) as (carrier, url):
        with pytest.raises(httpx.RemoteProtocolError, match="trailer is larger"):
            await read(carrier, outgoing(url))


async def test_the_smallest_chunks_are_given_in_bounded_numbers() -> None:
    chunks = 20 * HELD_PARTS_MAX
    speaker = Speaker(CHUNKED + b"7\r\n1234567\r\n" * chunks + b"0\r\n\r\n", ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        answer = await carrier.carry(outgoing(url))
        first = await answer.part()
        assert len(first) < 7 * chunks
        assert first + await body_of(answer) == b"1234567" * chunks
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        CHUNKED + b"5  \r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Odd: a\x01b\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 5\r\n\r\nhello",
    ],
    ids=["lines end with LF", "blanks behind a chunk's size", "a control character", "a folded header"],
)
async def test_what_servers_of_some_age_do_is_taken(answer: bytes) -> None:
    async with spoken_to(Speaker(answer)) as (carrier, url):
        assert await read(carrier, outgoing(url)) == (200, b"hello")


async def test_a_length_with_a_blank_behind_its_name_is_a_length() -> None:
    """Read to the end of the connection, the body would be whole wherever it is cut."""
    async with spoken_to(Speaker(then_closed(b"HTTP/1.1 200 OK\r\nContent-Length : 50 \r\n\r\nhello"))) as (
        carrier,
        url,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await read(carrier, outgoing(url))


async def test_what_utf_8_cannot_hold_is_in_no_url() -> None:
    carrier = a_carrier()
    with pytest.raises(httpx.LocalProtocolError):
        await carrier.carry(outgoing("http://platform.test/\ud800"))
    await carrier.aclose()


async def test_an_identity_encoding_names_no_length() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello"
    async with spoken_to(Speaker(then_closed(answer))) as (carrier, url):
        assert await read(carrier, outgoing(url)) == (200, b"hello")


async def test_a_carrier_that_is_closed_keeps_no_connection_that_was_on_its_way() -> None:
    speaker = Speaker(ANSWER, ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        await read(carrier, outgoing(url))
        both = [asyncio.create_task(read(carrier, outgoing(url))) for _ in range(2)]
        await asyncio.sleep(0)  # one takes the connection that there is, the other asks for one
        await carrier.aclose()
        ends = await asyncio.gather(*both, return_exceptions=True)
    assert all(isinstance(end, httpx.TransportError) for end in ends)
    assert not carrier._open
