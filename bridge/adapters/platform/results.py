"""What a decoded result looks like: the structs behind the Protocols of bridge.domain.model, without a copy."""

from __future__ import annotations

import msgspec
from typing_extensions import override

from bridge.domain.model import Bytes, Label, SequenceId

PropertyValue = str | float | int | bool | None


class WirePrediction(msgspec.Struct, gc=False, frozen=True):
    """One predicted label."""

    name: Label
    probability: float
    sentiment: float | None = None


class WireEntity(msgspec.Struct, gc=False, frozen=True):
    """One entity; its spans are never looked at, so swapped or wild ones pass (traps 1 and 2)."""

    kind: str = ""
    name: str = ""


class WireComment(msgspec.Struct, gc=False, frozen=True):
    """The few fields of a comment that routing needs."""

    uid: str
    thread_id: str | None = None
    created_at: str = ""
    user_properties: dict[str, PropertyValue] = {}

    @override
    def __repr__(self) -> str:
        """What people wrote stays out of logs and tracebacks (I10)."""
        return f"WireComment(uid={self.uid!r})"


class WireResult(msgspec.Struct, gc=False, frozen=True):
    """One result with its own bytes, or where they stand in its page."""

    held: Bytes
    sequence_id: SequenceId
    comment: WireComment
    labels: tuple[WirePrediction, ...]
    entities: tuple[WireEntity, ...]
    has_reserved_keys: bool

    @property
    def raw(self) -> bytes:
        """As the model says."""
        return bytes(self.held)

    @property
    def rest(self) -> Bytes:
        """As the model says."""
        return self.held[1:]

    def kept(self) -> WireResult:
        """As the model says."""
        return msgspec.structs.replace(self, held=self.raw)

    @override
    def __repr__(self) -> str:
        """As for its comment."""
        return f"WireResult(sequence_id={self.sequence_id!r}, uid={self.comment.uid!r}, {len(self.held)} bytes)"
