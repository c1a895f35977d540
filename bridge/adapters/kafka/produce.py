"""aiokafka's produce request, which is written batch by batch and not copied at each level of its schema."""
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, cast

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v3
from aiokafka.util import wait_for
from typing_extensions import override

from bridge.adapters.kafka.batch import Batch

_INT16 = struct.Struct(">h").pack
_INT32 = struct.Struct(">i").pack
_NULL = -1
PIECE_BYTES = 128 * 1024
"""A little more than a broker's socket takes at a time by default."""


class LeanProduceRequest(ProduceRequest):
    """aiokafka joins the bytes of a request field by field and level by level: six copies of a megabyte.

    Told apart by version as inherited; the versions with one schema, from 3 on, are written here.
    """

    @classmethod
    def narrow(cls, request: ProduceRequest) -> LeanProduceRequest:
        """Turn a request into this kind. aiokafka's sender makes its own."""
        request.__class__ = cls
        return cast(LeanProduceRequest, request)

    @override
    def build(self, request_struct_class: Any) -> Any:
        return super().build(_LEAN.get(request_struct_class, request_struct_class))


class _Lean:
    """The fields are those of the schema, by its names; records are bytes, or a batch that is not built yet."""

    transactional_id: str | None
    required_acks: int
    timeout: int
    topics: list[tuple[str, list[tuple[int, bytes | Batch]]]]

    def encode(self) -> bytes:
        return b"".join(piece for part in self.parts() for piece in _bytes_of(part))

    def parts(self) -> Iterator[bytes | Batch]:
        """What it is made of, in order; their lengths are final."""
        yield _INT16(_NULL) if self.transactional_id is None else _string(self.transactional_id)
        yield _INT16(self.required_acks)
        yield _INT32(self.timeout)
        yield _INT32(len(self.topics))
        for topic, partitions in self.topics:
            yield _string(topic)
            yield _INT32(len(partitions))
            for partition, records in partitions:
                yield _INT32(partition)
                yield _INT32(len(records))
                yield records


class LeanConnection(AIOKafkaConnection):
    """Writes a produce request a piece at a time: the broker reads the first while the next are built."""

    @classmethod
    def narrow(cls, connection: AIOKafkaConnection) -> LeanConnection:
        """Turn a connection into this kind. aiokafka's client makes its own."""
        connection.__class__ = cls
        return cast(LeanConnection, connection)

    @override
    def send(self, request: Any, expect_response: bool = True) -> Any:
        if self._writer is None or not isinstance(request, LeanProduceRequest):
            return super().send(request, expect_response)
        lean = request.prepare(self._versions)
        correlation_id = self._next_correlation_id()
        header = lean.build_request_header(correlation_id=correlation_id, client_id=self._client_id).encode()
        try:
            self._write(header, list(lean.parts()))
        except BaseException as error:
            # Half a request may be on the wire: nothing can follow it.
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            if isinstance(error, OSError):
                raise KafkaConnectionError(f"the connection to {self.host}:{self.port} is broken") from error
            raise
        answer = self._loop.create_future()
        self._requests.append((correlation_id, lean, answer))
        return wait_for(answer, self._request_timeout)

    def _write(self, header: bytes, parts: list[bytes | Batch]) -> None:
        piece = [_INT32(len(header) + sum(map(len, parts))), header]
        size = 0
        for part in parts:
            piece += _bytes_of(part)
            size += len(part)
            if size >= PIECE_BYTES and not self._writer.is_closing():
                self._writer.write(b"".join(piece))
                piece, size = [], 0
        self._writer.write(b"".join(piece))


def _bytes_of(part: bytes | Batch) -> tuple[bytes, ...]:
    return part.pieces() if isinstance(part, Batch) else (part,)


def _string(text: str) -> bytes:
    written = text.encode()
    return _INT16(len(written)) + written


_LEAN = {
    kind: type(kind.__name__, (_Lean, kind), {})
    for kind in ProduceRequest._CLASSES  # noqa: SLF001  where aiokafka keeps the versions it knows
    if kind.SCHEMA is ProduceRequest_v3.SCHEMA
}
