"""A client that is cut off leaves no connection behind, whatever has just become of one of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.conn import CloseReason

from bridge.adapters.kafka.client import LINGER_NOT, Client
from bridge.adapters.kafka.connection import client_options
from bridge.adapters.kafka.produce import PIECE_BYTES
from bridge.adapters.kafka.settings import KafkaSettings

PIECES = 200
"""With these far more than a kernel takes of one connection."""


@dataclass
class Connection:
    """As much of aiokafka's as a cut touches, and the other end."""

    reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    peer: socket.socket
    closed_for: list[CloseReason] = field(default_factory=list)

    def close(self, reason: CloseReason) -> asyncio.Future[None]:
        self.closed_for.append(reason)
        closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        closed.set_result(None)
        return closed

    @property
    def is_aborted(self) -> bool:
        return self._writer.transport.is_closing()


@pytest.fixture
async def pair() -> AsyncIterator[list[Connection]]:
    """Two connections that are open."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection(*server.getsockname())
            made.append(Connection(reader, writer, server.accept()[0]))
        yield made
        for each in made:
            each.peer.close()
            each._writer.transport.abort()
            await asyncio.sleep(0)


def cut(*connections: Connection) -> None:
    """A client that has these is cut off."""
    client = Client(**client_options(KafkaSettings(bootstrap_servers="127.0.0.1:9")))
    client._conns = {(node, ConnectionGroup.DEFAULT): each for node, each in enumerate(connections)}
    client.cut()


async def test_a_connection_lost_in_the_same_moment_does_not_keep_the_others_from_being_cut(
    pair: list[Connection],
) -> None:
    """I9: the transport has closed its socket, and aiokafka has not heard of it yet."""
    lost, whole = pair
    lost.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    lost.peer.close()
    while lost.reader.exception() is None:
        await asyncio.sleep(0)
    cut(*pair)
    assert whole.is_aborted
    assert [each.closed_for for each in pair] == [[CloseReason.SHUTDOWN]] * 2


async def test_what_still_waits_for_the_kernel_at_a_cut_never_leaves(pair: list[Connection]) -> None:
    """I9: not even where the broker makes room for it in the same moment, as one does that stood still."""
    connection = pair[0]
    for _ in range(PIECES):
        connection._writer.write(b"r" * PIECE_BYTES)
    waiting = connection._writer.transport.get_write_buffer_size()
    assert waiting > 0
    taken = drained(connection.peer, PIECES * PIECE_BYTES - waiting)
    cut(connection)
    for _ in range(5):
        await asyncio.sleep(0)
        taken += drained(connection.peer, waiting, wait_s=0)
    assert taken == PIECES * PIECE_BYTES - waiting


def drained(peer: socket.socket, bytes_max: int, wait_s: float = 5) -> int:
    """So many bytes are read, or as many as come."""
    peer.settimeout(wait_s)
    taken = 0
    with suppress(OSError):
        while taken < bytes_max and (got := len(peer.recv(bytes_max - taken))):
            taken += got
    return taken
