"""A record batch in Kafka's message format 2, encoded here: https://kafka.apache.org/documentation/#recordbatch.

aiokafka's own builder takes a third longer for a record: here what all records of a route share is spelled once,
and the checksum is made by the processor's own instruction.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from itertools import chain
from time import time  # noqa: TID251
from typing import Any, NamedTuple, Protocol

from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from google_crc32c import extend
from google_crc32c import value as checksum

from bridge.domain.delivery import HeaderNames, Headers
from bridge.domain.model import Bytes

CODECS: dict[str | None, int] = {None: 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
"""As the attributes of a batch name them."""

_ENCODERS = {"gzip": gzip_encode, "snappy": snappy_encode, "lz4": lz4_encode, "zstd": zstd_encode}
_IS_TRANSACTIONAL = 0x10
_MAGIC = 2
_NOBODY = (-1, -1, -1)
_NO_KEY = -1
_USUAL_OWN_HEADERS = 3

_OPENING = struct.Struct(">qiibI").pack
"""Base offset, length of what follows, epoch of the leader, magic, checksum of what follows."""
_HEADER = struct.Struct(">hiqqqhii").pack
"""Attributes, last offset delta, first and latest timestamp, producer id and epoch, first sequence, count."""
_BEHIND_LENGTH_BYTES = 9
HEADER_BYTES = 61


class Content(Protocol):
    """What a record is made of. The value is `front` and then `rest`, which is not copied until the batch is written.

    Headers are the shared ones, one object for many records, and then those of `own_names`, one object for many too.
    """

    @property
    def key(self) -> bytes | None: ...
    @property
    def front(self) -> bytes: ...
    @property
    def rest(self) -> Bytes: ...
    @property
    def shared_headers(self) -> Headers: ...
    @property
    def own_names(self) -> HeaderNames: ...
    @property
    def own_texts(self) -> tuple[bytes, ...]: ...


class PlainContent(NamedTuple):
    """Of what the bridge keeps for itself, which needs no headers."""

    key: bytes | None
    front: bytes
    rest: bytes = b""
    shared_headers: Headers = ()
    own_names: HeaderNames = ()
    own_texts: tuple[bytes, ...] = ()


class Batch:
    """In the place of aiokafka's builder, whose names it has where aiokafka asks for them.

    It tells how often it was put into a request, and is built when it is written to the wire. Its length is known
    before: the checksums of the next batches are made while the broker reads this one.
    """

    def __init__(self, bytes_max: int, compression: str | None, *, is_transactional: bool) -> None:
        self.attempts = 0
        self._bytes_max = bytes_max
        self._compression = compression
        self._flags = _IS_TRANSACTIONAL if is_transactional else 0
        self._producer = _NOBODY
        self._parts: list[Bytes] = []
        self._size = HEADER_BYTES
        self._count = 0
        self._first_ms = self._latest_ms = 0
        self._is_closed = False
        self._built: tuple[bytes, bytes] | None = None

    def __len__(self) -> int:
        return self._size

    def size(self) -> int:
        """Bytes, compressed once it is built."""
        return self._size

    def record_count(self) -> int:
        return self._count

    def fill(self, timestamp_ms: int | None, contents: Iterable[Content]) -> int:
        """Add records; how many fit, from the first on. No timestamp means now.

        None once it was handed over: what came later would be neither sent nor missed (I1).
        """
        if self._is_closed:
            return 0
        # What the bridge keeps for itself has the time that Kafka's clients give a record.
        now_ms = int(time() * 1000) if timestamp_ms is None else timestamp_ms
        count = self._count
        first_ms = self._first_ms if count else now_ms
        room, parts, delta = self._bytes_max - self._size, self._parts, b"\0" + VARINTS[now_ms - first_ms]
        shared_before: Headers | None = None
        names_before: HeaderNames | None = None
        shared = b""
        names: list[bytes] = []
        headers: tuple[bytes, ...] = ()
        for content in contents:
            key, front, rest, texts = content.key, content.front, content.rest, content.own_texts
            if content.shared_headers is not shared_before or content.own_names is not names_before:
                shared_before, names_before = content.shared_headers, content.own_names
                shared = VARINTS[len(shared_before) + len(names_before)] + b"".join(map(_header, shared_before))
                names = [NAMES[name] for name in names_before]
            key_length, value_length = VARINTS[_NO_KEY if key is None else len(key)], VARINTS[len(front) + len(rest)]
            before = b"".join((delta, VARINTS[count], key_length, key or b"", value_length, front))
            if len(texts) == _USUAL_OWN_HEADERS:
                # What `_headers` does, written out for nearly every record: that takes a third of a loop's time.
                (a, b, c), (one, two, three) = names, texts
                headers = shared, a, VARINTS[len(one)], one, b, VARINTS[len(two)], two, c, VARINTS[len(three)], three
            else:
                headers = _headers(shared, names, texts)
            behind = b"".join(headers)
            size = len(before) + len(rest) + len(behind)
            opening = VARINTS[size]
            room -= len(opening) + size
            if room < 0:
                break
            parts += opening, before, rest, behind
            self._size, count = self._bytes_max - room, count + 1
        added, self._count = count - self._count, count
        if added:
            self._first_ms, self._latest_ms = first_ms, max(now_ms, self._latest_ms)
        return added

    def pieces(self) -> tuple[bytes, bytes]:
        """The bytes themselves, header and records."""
        if self._built is None:
            flags, records = self._packed()
            header = _HEADER(flags, self._count - 1, self._first_ms, self._latest_ms, *self._producer, self._count)
            length = _BEHIND_LENGTH_BYTES + len(header) + len(records)
            opening = _OPENING(0, length, -1, _MAGIC, extend(checksum(header), records))
            self._built = opening + header, records
            self._size = HEADER_BYTES + len(records)
            self._parts = []
        return self._built

    def written(self) -> bytes:
        """In one go."""
        return b"".join(self.pieces())

    def _packed(self) -> tuple[int, bytes]:
        """The attributes, and the records; as they are where compressing them gains nothing."""
        records = b"".join(self._parts)
        if self._compression is not None:
            compressed = _ENCODERS[self._compression](records)
            if len(compressed) < len(records):
                return self._flags | CODECS[self._compression], compressed
        return self._flags, records

    def close(self) -> None:
        """Nothing is added any more."""
        self._is_closed = True

    def closed(self) -> bool:
        return self._is_closed

    def _set_producer_state(self, producer_id: int, epoch: int, sequence: int) -> None:
        """aiokafka tells who sends it before it is first put into a request."""
        self._producer = (producer_id, epoch, sequence)

    def _build(self) -> Batch:
        """What stands for the bytes in a request."""
        self.attempts += 1
        self.close()
        if self._compression is not None:
            # Only then is its length known.
            self.pieces()
        return self


class Memo(dict[Any, bytes]):
    """What was made before by `make`, up to `entries_max` of it: a lookup takes half of what a call does."""

    def __init__(self, make: Callable[[Any], bytes], entries_max: int) -> None:
        super().__init__()
        self._make = make
        self._entries_max = entries_max

    def __missing__(self, asked: Any) -> bytes:
        made = self._make(asked)
        if len(self) < self._entries_max:
            self[asked] = made
        return made


def _varint(number: int) -> bytes:
    """Zigzag, 7 bits a byte, the least first, as Protocol Buffers have it."""
    left = (number << 1) ^ (number >> 63)
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)


def _name(name: str) -> bytes:
    spelled = name.encode()
    return VARINTS[len(spelled)] + spelled


def _header(header: tuple[str, bytes]) -> bytes:
    name, text = header
    return b"".join((NAMES[name], VARINTS[len(text)], text))


def _headers(shared: bytes, names: Iterable[bytes], texts: Iterable[bytes]) -> tuple[bytes, ...]:
    own = ((name, VARINTS[len(text)], text) for name, text in zip(names, texts, strict=True))
    return shared, *chain.from_iterable(own)


VARINTS = Memo(_varint, entries_max=16_384)
NAMES = Memo(_name, entries_max=1_024)
