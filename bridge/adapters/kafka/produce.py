"""aiokafka's produce request, which copies every record batch once and not at each level of its schema."""
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, cast

from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v3
from typing_extensions import override

_INT16 = struct.Struct(">h").pack
_INT32 = struct.Struct(">i").pack
_NULL = -1


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
    """The fields are those of the schema, by its names."""

    transactional_id: str | None
    required_acks: int
    timeout: int
    topics: list[tuple[str, list[tuple[int, bytes]]]]

    def encode(self) -> bytes:
        return b"".join(self._parts())

    def _parts(self) -> Iterator[bytes]:
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


def _string(text: str) -> bytes:
    written = text.encode()
    return _INT16(len(written)) + written


_LEAN = {
    kind: type(kind.__name__, (_Lean, kind), {})
    for kind in ProduceRequest._CLASSES  # noqa: SLF001  where aiokafka keeps the versions it knows
    if kind.SCHEMA is ProduceRequest_v3.SCHEMA
}
