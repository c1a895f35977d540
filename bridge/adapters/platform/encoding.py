"""Compressed answers, unpacked within a bound.

The HTTP library unpacks each chunk of the wire whole; 64 KiB of it can hold gigabytes. So the raw body is read, itself
bounded, and unpacked here in small steps.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import zstandard

from bridge.domain.errors import Retry

ACCEPT_ENCODING = "zstd, gzip"
_STEP_BYTES = 1024
"""Of zstd input, which can hold 32 MiB at most: a block of four bytes may stand for 128 KiB."""
_OUTPUT_STEP_BYTES = 4 * 1024 * 1024
_ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024
"""What RFC 9659 allows a sender to demand of a receiver."""


def unpacked(body: bytes, content_encoding: str, bytes_max: int) -> bytes:
    """The body as it was meant. Raises Retry: `bad_encoding` where it is broken or unasked for, `too_large`."""
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    steps = _STEPS.get(encoding)
    if steps is None:
        raise Retry("the answer is in a content encoding that was not asked for", code="bad_encoding")
    parts: list[bytes] = []
    size = 0
    try:
        for part in steps(body):
            size += len(part)
            if size > bytes_max:
                raise too_large(bytes_max)
            parts.append(part)
    except (zlib.error, zstandard.ZstdError) as error:
        raise Retry("the answer's compression is broken", code="bad_encoding") from error
    return b"".join(parts)


def too_large(bytes_max: int) -> Retry:
    """The same for an answer that is too large on the wire."""
    return Retry(f"the answer is larger than {bytes_max} bytes", code="too_large")


def _gzip(body: bytes) -> Iterator[bytes]:
    while body:
        unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        while not unpacker.eof:
            part = unpacker.decompress(body, _OUTPUT_STEP_BYTES)
            body = unpacker.unconsumed_tail
            if not part and not body and not unpacker.eof:
                raise zlib.error("cut off")
            yield part
        body = unpacker.unused_data


def _zstd(body: bytes) -> Iterator[bytes]:
    while body:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX).decompressobj()
        at = 0
        while not unpacker.eof:
            if at >= len(body):
                raise zstandard.ZstdError("cut off")
            yield unpacker.decompress(body[at : at + _STEP_BYTES])
            at += _STEP_BYTES
        body = unpacker.unused_data + body[at:]


_STEPS: dict[str, Callable[[bytes], Iterator[bytes]]] = {"gzip": _gzip, "x-gzip": _gzip, "zstd": _zstd}
