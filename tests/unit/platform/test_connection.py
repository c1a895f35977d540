"""Answers of every form, from a server of a few lines on the loopback that says what it is told."""

from __future__ import annotations

import asyncio
import socket
import struct
from hashlib import sha256
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from bridge.adapters.platform.connection import HEAD_BYTES_MAX, HELD_BYTES_MAX, Connection
from tests.unit.platform.speaking import (
    ANSWER,
    CHUNKED,
    CUT,
    ENDLESS,
    STRAY,
    Speaker,
    body_of,
    byte_by_byte,
    outgoing,
    read,
    spoken_to,
    then_closed,
)


async def test_interim_answers_are_passed_over_with_their_headers() -> None:
    interim = b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    speaker = Speaker(interim + ANSWER, byte_by_byte(interim + ANSWER))
    async with spoken_to(speaker) as (carrier, url):
        for _ in range(2):
            answer = await carrier.carry(outgoing(url))
            assert (answer.status, answer.headers) == (200, {"content-length": "5"})
            assert await body_of(answer) == b"hello"
    assert speaker.connections == 1


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_a_body_without_a_length_ends_with_its_connection(version: bytes) -> None:
    body = bytes(range(256)) * 1000
    speaker = Speaker(then_closed(b"HTTP/%b 200 OK\r\nX: y\r\n\r\n%b" % (version, body)), ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        assert await read(carrier, outgoing(url)) == (200, body)
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 2


async def test_chunks_are_joined_without_what_is_around_them() -> None:
    chunks = b'3;a="b;c"\r\nhel\r\n002\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n'
    speaker = Speaker(byte_by_byte(CHUNKED + chunks), ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        answer = await carrier.carry(outgoing(url))
        assert await body_of(answer) == b"hello"
        assert answer.headers == {"transfer-encoding": "chunked"}
        await read(carrier, outgoing(url))
    assert speaker.connections == 1


@pytest.mark.parametrize("status", [b"HTTP/1.1 200 OK\r\nConnection: close", b"HTTP/1.0 200 OK"])
async def test_a_connection_that_shall_not_be_kept_is_not(status: bytes) -> None:
    speaker = Speaker(status + b"\r\nContent-Length: 5\r\n\r\nhello", ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        assert await read(carrier, outgoing(url)) == (200, b"hello")
        await speaker.gone.acquire()
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 2


@pytest.mark.parametrize("stray", [STRAY, b"no HTTP", STRAY[:3]])
async def test_what_follows_an_answer_unasked_answers_nothing(stray: bytes) -> None:
    speaker = Speaker(ANSWER + stray, ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        for _ in range(2):
            assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 2


async def test_what_a_free_connection_is_told_ends_it() -> None:
    is_read = asyncio.Event()

    async def strays_later(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(ANSWER)
        await is_read.wait()
        writer.write(STRAY)

    speaker = Speaker(strays_later, ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        assert await read(carrier, outgoing(url)) == (200, b"hello")
        is_read.set()
        await speaker.gone.acquire()
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 2


async def test_what_a_free_connection_was_told_and_has_not_read_answers_nothing() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def answers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(ANSWER)

    speaker = Speaker(answers, ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        await read(carrier, outgoing(url))
        writers[0].write(STRAY)  # goes out at once, and the client's loop has no turn before it asks again
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 2


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * HEAD_BYTES_MAX,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * HEAD_BYTES_MAX,
        b"HTTP/1.1 100 Continue\r\n\r\n" * HEAD_BYTES_MAX,
    ],
    ids=["one header", "many headers", "many interim answers"],
)
async def test_a_head_without_an_end_is_not_read_to_it(head: bytes) -> None:
    speaker = Speaker(head)
    async with spoken_to(speaker) as (carrier, url):
        with pytest.raises(httpx.RemoteProtocolError, match="larger than"):
            await carrier.carry(outgoing(url))
        await speaker.gone.acquire()


async def test_a_trailer_without_an_end_is_not_read_to_it() -> None:
    speaker = Speaker(CHUNKED + b"0\r\nX: " + b"y" * 4 * HEAD_BYTES_MAX)
    async with spoken_to(speaker) as (carrier, url):
        with pytest.raises(httpx.RemoteProtocolError, match="larger than"):
            await read(carrier, outgoing(url))
        await speaker.gone.acquire()


async def test_a_body_nobody_reads_waits_at_the_server() -> None:
    body = bytes(range(256)) * (16 * HELD_BYTES_MAX // 256)  # much more than the kernel holds
    is_written = asyncio.Event()

    async def writes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        is_written.set()

    speaker = Speaker(writes, ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        answer = await carrier.carry(outgoing(url))
        for _ in range(1000):  # enough for all of it, if it were read
            await asyncio.sleep(0)
        assert not is_written.is_set()
        received = await body_of(answer)
        assert (len(received), sha256(received).digest()) == (len(body), sha256(body).digest())
        assert is_written.is_set()
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 1


async def test_a_body_in_very_small_chunks_is_read_whole() -> None:
    body = bytes(range(256)) * 200
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    async with spoken_to(Speaker(CHUNKED + chunks + b"0\r\n\r\n")) as (carrier, url):
        assert await read(carrier, outgoing(url)) == (200, body)


async def test_headers_are_found_by_their_names_in_lower_case_and_repeated_ones_are_one() -> None:
    head = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nEmpty:\r\nx-a:2\r\nX-B: \xe9\r\nX-A: 3\r\nContent-Length: 0\r\n\r\n"
    async with spoken_to(Speaker(head)) as (carrier, url):
        answer = await carrier.carry(outgoing(url))
    assert answer.headers == {"x-a": "1, 2, 3", "empty": "", "x-b": "é", "content-length": "0"}


@pytest.mark.parametrize(("status", "head"), [(204, b"204 No Content"), (304, b"304 Not Modified")])
async def test_some_answers_have_no_body_and_need_not_say_so(status: int, head: bytes) -> None:
    speaker = Speaker(b"HTTP/1.1 " + head + b"\r\n\r\n", ANSWER)
    async with spoken_to(speaker) as (carrier, url):
        assert await read(carrier, outgoing(url)) == (status, b"")
        assert await read(carrier, outgoing(url)) == (200, b"hello")
    assert speaker.connections == 1


@pytest.mark.parametrize("headers", [b"", b"Connection: upgrade\r\nUpgrade: websocket\r\n"])
async def test_a_switch_to_another_protocol_is_no_answer(headers: bytes) -> None:
    speaker = Speaker(b"HTTP/1.1 101 Switching Protocols\r\n" + headers + b"\r\n")
    async with spoken_to(speaker) as (carrier, url):
        with pytest.raises(httpx.RemoteProtocolError):
            await carrier.carry(outgoing(url))
        await speaker.gone.acquire()


@pytest.mark.parametrize("cut", [CUT, ENDLESS, CHUNKED + b"5\r\nhel"])
async def test_a_reset_is_no_end_of_a_body(cut: bytes) -> None:
    is_read = asyncio.Event()

    async def resets(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(cut)
        await is_read.wait()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with spoken_to(Speaker(resets)) as (carrier, url):
        answer = await carrier.carry(outgoing(url))
        is_read.set()
        with pytest.raises(httpx.ReadError):
            await body_of(answer)


class Line(asyncio.Transport):
    """To nowhere."""

    def __init__(self, nowhere: socket.socket) -> None:
        super().__init__({"socket": nowhere})
        self.is_closed = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    @override
    def pause_reading(self) -> None:
        pass

    @override
    def resume_reading(self) -> None:
        pass

    @override
    def get_write_buffer_size(self) -> int:
        return 0

    @override
    def is_closing(self) -> bool:
        return self.is_closed

    @override
    def abort(self) -> None:
        self.is_closed = True


@st.composite
def spoken(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """A body, an answer that has it, and whether the connection has to end behind it."""
    body = draw(st.binary(max_size=5000))
    framing = draw(st.sampled_from(["length", "chunks", "end"]))
    if framing == "length":
        return body, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body, False
    if framing == "end":
        return body, b"HTTP/1.1 200 OK\r\n\r\n" + body, True
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in pieces(body, draw(cuts))]
    return body, CHUNKED + b"".join(chunks) + b"0\r\n\r\n", False


cuts = st.lists(st.integers(1, 5100), max_size=20)


def pieces(whole: bytes, at: list[int]) -> list[bytes]:
    """None of them is empty."""
    ends = sorted({0, *(each for each in at if each < len(whole)), len(whole)})
    return [whole[start:end] for start, end in pairwise(ends)]


@given(spoken(), cuts)
async def test_an_answer_is_the_same_however_it_is_framed_and_cut(
    said: tuple[bytes, bytes, bool], at: list[int]
) -> None:
    body, answer, ends = said
    free: list[Connection] = []
    here, there = socket.socketpair()
    with here, there:
        connection, line = Connection(free.append), Line(here)
        connection.connection_made(line)

        async def asks() -> tuple[int, bytes]:
            incoming = await connection.ask(b"GET")
            return incoming.status, await body_of(incoming)

        asking = asyncio.create_task(asks())
        for piece in pieces(answer, at):
            await asyncio.sleep(0)
            connection.data_received(piece)
        if ends:
            assert not asking.done()
            connection.eof_received()
            connection.connection_lost(None)
        assert await asking == (200, body)
        await asyncio.sleep(0)
    assert (free, line.is_closed) == ([] if ends else [connection], False)


async def test_an_answer_that_breaks_where_there_is_room_for_no_more_does_not_look_ended() -> None:
    here, there = socket.socketpair()
    with here, there:
        connection = Connection(lambda _: None)
        connection.connection_made(Line(here))
        asking = asyncio.create_task(connection.ask(b"GET"))
        await asyncio.sleep(0)
        connection.data_received(CHUNKED + b"%x\r\n" % HELD_BYTES_MAX + b"x" * HELD_BYTES_MAX + b"\r\nno size\r\n")
        answer = await asking
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.part()
