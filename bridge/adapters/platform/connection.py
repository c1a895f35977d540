"""One connection to the platform: a request, its answer, and whether another may follow.

HTTP/1.1 (RFC 9112) is read by llhttp, the parser of Node.js, through httptools. Requests are written in transport.py.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import cast

import httpx
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from typing_extensions import override

HEAD_BYTES_MAX = 64 * 1024
"""Of an answer. The parser itself would take any number of headers."""

HELD_BYTES_MAX = 2 * 1024 * 1024
HELD_PARTS_MAX = 16_384
"""Of a body, read and not yet asked for; then the socket rests. A usual page is given at one go."""

SMALL_REQUEST_BYTES = 64 * 1024
"""Is written whole before it is answered, in all likelihood. Over TLS nobody can say."""

_LOWEST_STATUS, _FIRST_FINAL_STATUS = 100, 200
"""Between them are interim answers, behind which the one that counts is still to come (RFC 9110, 15.2)."""


class Answer:
    """What the server says to one request: an `Incoming` of transport.py, once its head is there."""

    def __init__(self, connection: Connection) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_headed = False
        self.is_whole = False
        self._connection = connection
        self._failure: tuple[type[httpx.TransportError], str] | None = None
        self._parts: list[bytes] = []
        self._held_bytes = 0
        self._waiter: asyncio.Future[None] | None = None

    async def head(self) -> None:
        """Returns once status and headers are there. Raises what httpx does."""
        while not self.is_headed:
            await self._more()

    async def part(self) -> bytes:
        """All that is left of the body where there is room for it, else as much as there is room for."""
        while not self.is_whole and self.has_room:
            await self._more()
        part, self._parts, self._held_bytes = b"".join(self._parts), [], 0
        if not self.is_whole:
            self._connection.read_on()
        return part

    async def aclose(self) -> None:
        """A connection whose answer was read whole has gone back already; any other one is closed."""
        if not self.is_whole:
            self._connection.close()

    async def _more(self) -> None:
        if self._failure is not None:
            kind, why = self._failure
            # Made anew each time: kept, its traceback would hold this answer, and that would wait for the collector.
            raise kind(why)
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    @property
    def has_room(self) -> bool:
        """For more of the body."""
        return self._held_bytes < HELD_BYTES_MAX and len(self._parts) < HELD_PARTS_MAX

    @property
    def ends_with_the_connection(self) -> bool:
        """It names no length (RFC 9112, 6.3)."""
        is_chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        return self.is_headed and not is_chunked and "content-length" not in self.headers

    def add_header(self, name: bytes, value: bytes) -> None:
        """Repeated ones are one, in their order (RFC 9110, 5.2)."""
        key, text = name.strip().decode("latin-1").lower(), value.strip().decode("latin-1")
        before = self.headers.get(key)
        self.headers[key] = text if before is None else f"{before}, {text}"

    def add_part(self, part: bytes) -> None:
        """Some of the body."""
        self._parts.append(part)
        self._held_bytes += len(part)

    def fail(self, kind: type[httpx.TransportError], why: str) -> None:
        """There is no more of it. What is whole stays whole, and the first reason is the one that is told."""
        if not self.is_whole and self._failure is None:
            self._failure = kind, why
            self._parts, self._held_bytes = [], 0

    @property
    def has_failed(self) -> bool:
        """It is never whole."""
        return self._failure is not None

    def wake(self) -> None:
        """Whoever waits shall look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """Carries one request at a time. `on_free` is called once an answer is whole and another request may follow.

    The worst it could do is to give the answer to one request for that to another: an advance would be believed that
    was never made (I1). Whatever is said unasked closes it. The parser calls it back by the names that begin
    with `on_`.
    """

    _transport: asyncio.Transport
    _parser: HttpResponseParser

    def __init__(self, on_free: Callable[[Connection], None]) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_free = on_free
        self._answer: Answer | None = None
        self._is_small = True
        self._body_bytes = self._barren_bytes = 0
        self._may_follow = False
        self._is_resting = False
        self._is_closed = False
        self._has_ended = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = HttpResponseParser(self)
        # What servers of some age or proxies do, and other clients take. None of it moves the end of an answer.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    @property
    def is_open(self) -> bool:
        """Nobody has closed it, as far as is known."""
        return not (self._is_closed or self._transport.is_closing())

    @property
    def is_quiet(self) -> bool:
        """Open, and nothing is there to be read: it would be an answer to nobody's request, or the server's goodbye."""
        if not self.is_open:
            return False
        readable = select.poll()
        readable.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not readable.poll(0)

    async def ask(self, request: bytes) -> Answer:
        """The answer, once its head is there. Raises what httpx does; behind anything but an answer it is closed."""
        answer = self._answer = Answer(self)
        self._is_small = len(request) <= SMALL_REQUEST_BYTES
        self._body_bytes = self._barren_bytes = 0
        self._may_follow = False
        try:
            self._transport.write(request)
            await answer.head()
        except BaseException:
            self.close()
            raise
        return answer

    def close(self) -> None:
        """What is under way ends in an error."""
        if not self._is_closed:
            self._is_closed = True
            # Not at once: over TLS it may be called from within what it would take apart.
            asyncio.get_running_loop().call_soon(self._transport.abort)

    def read_on(self) -> None:
        """The socket rests no more, if it did."""
        if self._is_resting:
            self._is_resting = False
            self._transport.resume_reading()

    @override
    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or self._is_closed:
            self.close()
            return
        body_bytes = self._body_bytes
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            # An answer that was whole before that is still one.
            self._break(answer, f"the answer is no HTTP/1.1 ({type(error).__name__})")
        # A head and a trailer are what is read without any body in it.
        self._barren_bytes = self._barren_bytes + len(data) if self._body_bytes == body_bytes else 0
        if self._barren_bytes > HEAD_BYTES_MAX:
            self._break(answer, f"the answer's head or trailer is larger than {HEAD_BYTES_MAX} bytes")
        if answer.is_whole:
            self._end(answer)
        answer.wake()

    @override
    def eof_received(self) -> None:
        self._has_ended = True

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closed = True
        answer, self._answer = self._answer, None
        if answer is not None:
            # Closed from here it may have been cut anywhere.
            if self._has_ended and exc is None and answer.ends_with_the_connection and not answer.has_failed:
                answer.is_whole = True
            elif isinstance(exc, OSError):
                answer.fail(httpx.ReadError, str(exc))
            else:
                answer.fail(httpx.RemoteProtocolError, "the connection was closed before the answer was whole")
            answer.wake()
        # Each holds the other: a connection would wait for the collector, with all it has read.
        del self._parser
        if not self.lost.done():
            self.lost.set_result(None)

    def _break(self, answer: Answer, why: str) -> None:
        answer.fail(httpx.RemoteProtocolError, why)
        self.close()

    def _end(self, answer: Answer) -> None:
        self._answer = None
        self.read_on()
        # A server that refuses before it has read all would take the rest of that request for the next one.
        is_read = self._is_small or answer.status < httpx.codes.MULTIPLE_CHOICES
        if self._may_follow and self.is_open and is_read and not self._transport.get_write_buffer_size():
            self._on_free(self)
        else:
            self.close()

    def on_message_begin(self) -> None:
        """An answer begins. There is one for a request; the error comes back out of the parser as its own."""
        if self._answer is None or self._answer.is_whole:
            raise ValueError("more was said than was asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the answer."""
        assert self._answer is not None
        if not self._answer.is_headed:  # a trailer tells nothing that is looked at
            self._answer.add_header(name, value)

    def on_headers_complete(self) -> None:
        """All of them."""
        assert self._answer is not None
        status = self._parser.get_status_code()
        if status < _LOWEST_STATUS:
            raise ValueError("not a status")
        if status < _FIRST_FINAL_STATUS:
            self._answer.headers.clear()
        else:
            self._answer.status, self._answer.is_headed = status, True

    def on_body(self, part: bytes) -> None:
        """Some of it, as it is on the wire but for its chunks."""
        assert self._answer is not None
        self._answer.add_part(part)
        self._body_bytes += len(part)
        if not (self._is_resting or self._answer.has_room):
            self._is_resting = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer has ended, where it was no interim one."""
        assert self._answer is not None
        self._answer.is_whole = self._answer.is_headed
        self._may_follow = self._parser.should_keep_alive()  # behind the message it has forgotten
