"""What a given broker is, by its own word: Kafka tells clients its features, and the features tell the release."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping

API_VERSIONS_KEY, API_VERSIONS_VERSION = 18, 3
SUPPORTED_FEATURES_TAG = 0
ANSWER_TIMEOUT_S = 5.0
ANSWER_BYTES_MAX = 1 << 20
UNKNOWN = "a Kafka of unknown version"
RELEASES = ((30, "4.3"), (28, "4.2"), (26, "4.1"), (22, "4.0"), (21, "3.9"), (20, "3.8"), (15, "3.7"))
NEWEST_LEVEL = 30
"""The lowest `metadata.version` of each release, newest first, and the highest of the newest: Apache Kafka 4.3.1."""


async def broker_name(bootstrap_servers: str) -> str:
    """Such as `Apache Kafka 4.3`; without TLS and SASL only, as all of the demo."""
    host, _, port = bootstrap_servers.partition(",")[0].rpartition(":")
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            level = _features(await _ask(host, int(port))).get("metadata.version")
    except (OSError, TimeoutError, ValueError, IndexError, struct.error, asyncio.IncompleteReadError):
        return UNKNOWN
    if level is None:
        return UNKNOWN
    release = next((release for lowest, release in RELEASES if lowest <= level <= NEWEST_LEVEL), None)
    return f"Apache Kafka {release}" if release else f"Apache Kafka (metadata.version {level})"


async def _ask(host: str, port: int) -> bytes:
    name, version = b"bridge-demo", b"1"
    head = struct.pack(">hhih", API_VERSIONS_KEY, API_VERSIONS_VERSION, 1, len(name)) + name + b"\0"
    body = bytes([len(name) + 1]) + name + bytes([len(version) + 1]) + version + b"\0"
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(struct.pack(">i", len(head) + len(body)) + head + body)
        await writer.drain()
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        if not 0 < size <= ANSWER_BYTES_MAX:
            raise ValueError(f"an answer of {size} bytes")
        return await reader.readexactly(size)
    finally:
        writer.close()


def _features(answer: bytes) -> Mapping[str, int]:
    """The highest supported level of each feature, from an ApiVersions answer of version 3."""
    at = _Cursor(answer)
    at.skip(4)
    if struct.unpack(">h", at.take(2)) != (0,):
        return {}
    for _ in range(at.varint() - 1):
        at.skip(6)
        at.skip_tags()
    at.skip(4)
    for _ in range(at.varint()):
        tag, size = at.varint(), at.varint()
        content = at.take(size)
        if tag == SUPPORTED_FEATURES_TAG:
            return _supported(_Cursor(content))
    return {}


def _supported(at: _Cursor) -> Mapping[str, int]:
    levels: dict[str, int] = {}
    for _ in range(at.varint() - 1):
        name = at.take(at.varint() - 1).decode("utf-8", "replace")
        at.skip(2)
        (levels[name],) = struct.unpack(">h", at.take(2))
        at.skip_tags()
    return levels


class _Cursor:
    """Reads Kafka's compact types; raises IndexError past the end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._content):
            raise IndexError("past the end of the answer")
        self._at += size
        return self._content[self._at - size : self._at]

    def skip(self, size: int) -> None:
        self.take(size)

    def varint(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def skip_tags(self) -> None:
        for _ in range(self.varint()):
            self.varint()
            self.skip(self.varint())
