"""What a broker says of itself is read from its bytes, and odd bytes are no crash."""

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.app.demo import broker_name

NAME = b"metadata.version"


def answer(level: int) -> bytes:
    """An ApiVersions answer of version 3 with one API and one feature."""
    apis = b"\x02" + struct.pack(">hhh", 18, 0, 4) + b"\x00"
    feature = bytes([len(NAME) + 1]) + NAME + struct.pack(">hh", 1, level) + b"\x00"
    supported = b"\x02" + feature
    return struct.pack(">ih", 1, 0) + apis + struct.pack(">i", 0) + b"\x01\x00" + bytes([len(supported)]) + supported


async def served(content: bytes) -> str:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        await reader.readexactly(size)
        writer.write(struct.pack(">i", len(content)) + content)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        return await broker_name.broker_name(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("level", "name"),
    [
        (30, "Apache Kafka 4.3"),
        (29, "Apache Kafka 4.2"),
        (27, "Apache Kafka 4.1"),
        (25, "Apache Kafka 4.0"),
        (21, "Apache Kafka 3.9"),
        (99, "Apache Kafka (metadata.version 99)"),
        (3, "Apache Kafka (metadata.version 3)"),
    ],
)
async def test_the_release_is_read_from_the_features(level: int, name: str) -> None:
    assert await served(answer(level)) == name


async def test_one_that_says_nothing_of_itself_is_of_unknown_version() -> None:
    assert await served(struct.pack(">ih", 1, 0) + b"\x01" + struct.pack(">i", 0) + b"\x00") == broker_name.UNKNOWN
    assert await served(struct.pack(">ih", 1, 35)) == broker_name.UNKNOWN
    assert await broker_name.broker_name("127.0.0.1:1") == broker_name.UNKNOWN
    assert await broker_name.broker_name("no port here") == broker_name.UNKNOWN


@given(st.binary(max_size=200), st.integers(0, 200))
def test_odd_bytes_are_refused_and_never_hang(noise: bytes, cut: int) -> None:
    for content in (noise, answer(30)[:cut]):
        try:
            broker_name._features(content)
        except (IndexError, struct.error):
            continue
