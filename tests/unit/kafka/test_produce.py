"""The produce request as it goes over the wire."""

from __future__ import annotations

import asyncio
import struct

import pytest
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v3, ProduceRequest_v5, ProduceRequest_v7

from bridge.adapters.kafka.batch import Batch, PlainContent
from bridge.adapters.kafka.produce import PIECE_BYTES, LeanConnection, LeanProduceRequest

VERSIONS = {0: (0, 7)}
TOPICS = [("rpa.urgent", [(0, b"batch of records"), (3, b"")]), ("rpa.trädes", [(1, b"another" * 1_000)])]


def a_request(transactional_id: str | None = None) -> ProduceRequest:
    return ProduceRequest(transactional_id=transactional_id, required_acks=-1, timeout=40_000, topics=TOPICS)


@pytest.mark.parametrize("version", [ProduceRequest_v3, ProduceRequest_v5, ProduceRequest_v7])
@pytest.mark.parametrize("transactional_id", [None, "prod/disputes", "ü"])
def test_its_bytes_are_those_of_aiokafka(version: type[ProduceRequest_v3], transactional_id: str | None) -> None:
    """Whatever version the broker speaks."""
    spoken = {0: (version.API_VERSION, version.API_VERSION)}
    inherited = a_request(transactional_id).prepare(spoken)
    lean = LeanProduceRequest.narrow(a_request(transactional_id)).prepare(spoken)
    assert lean.encode() == inherited.encode()
    assert type(lean).encode is not type(inherited).encode


def test_it_is_answered_and_headed_as_inherited() -> None:
    """The connection reads version and answer from the class."""
    inherited, lean = a_request().prepare(VERSIONS), LeanProduceRequest.narrow(a_request()).prepare(VERSIONS)
    assert lean.RESPONSE_TYPE is inherited.RESPONSE_TYPE
    header = lean.build_request_header(correlation_id=7, client_id="bridge").encode()
    assert header == inherited.build_request_header(correlation_id=7, client_id="bridge").encode()


def test_an_old_broker_is_spoken_to_as_inherited() -> None:
    """Versions before 3 have another schema."""
    lean = LeanProduceRequest.narrow(a_request()).prepare({0: (0, 2)})
    assert lean.encode() == a_request().prepare({0: (0, 2)}).encode()


class Wire:
    """A writer that keeps what it is given, and whether a batch was built by then."""

    def __init__(self, watched: Batch | None = None, breaks: Exception | None = None) -> None:
        self.pieces: list[bytes] = []
        self.built: list[bool] = []
        self.closed = False
        self._watched = watched
        self._breaks = breaks

    def write(self, piece: bytes) -> None:
        if self._breaks is not None:
            raise self._breaks
        self.pieces.append(piece)
        self.built.append(self._watched is not None and self._watched._built is not None)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def a_batch(value_bytes: int, compression: str | None = None) -> Batch:
    batch = Batch(900_000, compression, is_transactional=False)
    assert batch.fill(
        1_700_000_000_000, [PlainContent(b"key", b"v" * value_bytes, own_names=("ce_id",), own_texts=(b"1",))]
    )
    return batch


def on(wire: Wire) -> LeanConnection:
    connection = LeanConnection("127.0.0.1", 9)
    connection._versions, connection._writer, connection._reader = VERSIONS, wire, asyncio.StreamReader()
    # Nobody reads: it is not to be told unclosed at the end.
    connection._reader.feed_eof()
    connection._read_task = asyncio.get_running_loop().create_future()
    return connection


def about(*batches: Batch) -> LeanProduceRequest:
    topics = [(f"rpa.{number}", [(number, batch._build())]) for number, batch in enumerate(batches)]
    return LeanProduceRequest.narrow(
        ProduceRequest(transactional_id=None, required_acks=-1, timeout=40_000, topics=topics)
    )


@pytest.mark.parametrize("compression", [None, "zstd"])
async def test_in_pieces_its_bytes_are_those_of_aiokafka(compression: str | None) -> None:
    """And its answer is waited for in the same line."""
    sizes = (PIECE_BYTES, 10, PIECE_BYTES // 2, PIECE_BYTES // 2, 3)
    wire = Wire()
    connection = on(wire)
    answering = connection.send(about(*[a_batch(size, compression) for size in sizes]))
    plain = [(f"rpa.{n}", [(n, bytes(a_batch(size, compression).written()))]) for n, size in enumerate(sizes)]
    whole = ProduceRequest(transactional_id=None, required_acks=-1, timeout=40_000, topics=plain).prepare(VERSIONS)
    header = whole.build_request_header(correlation_id=1, client_id="aiokafka").encode()
    assert b"".join(wire.pieces) == struct.pack(">i", len(header + whole.encode())) + header + whole.encode()
    assert len(wire.pieces) == (3 if compression is None else 1)
    assert [correlation_id for correlation_id, _, _ in connection._requests] == [1]
    answering.close()


async def test_the_first_piece_leaves_before_the_last_batch_is_built() -> None:
    last = a_batch(10)
    wire = Wire(watched=last)
    on(wire).send(about(a_batch(PIECE_BYTES), a_batch(PIECE_BYTES), last)).close()
    assert wire.built == [False, False, True]
    assert last.attempts == 1


async def test_behind_half_a_request_nothing_is_sent() -> None:
    """The broker would take the next request for the rest of this one."""
    wire = Wire(breaks=BrokenPipeError())
    connection = on(wire)
    with pytest.raises(KafkaConnectionError):
        connection.send(about(a_batch(10)))
    assert wire.closed
    with pytest.raises(KafkaConnectionError):
        connection.send(about(a_batch(10)))


async def test_other_requests_are_sent_as_inherited() -> None:
    wire = Wire()
    connection = on(wire)
    connection._versions = {**VERSIONS, 3: (0, 5)}
    connection.send(MetadataRequest(["rpa.urgent"])).close()
    assert len(wire.pieces) == 1
    assert wire.pieces[0].endswith(MetadataRequest(["rpa.urgent"]).prepare(connection._versions).encode())
