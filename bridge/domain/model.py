"""The nouns: triggers, results with their predictions, batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NewType, Protocol, TypeAlias

TriggerName = NewType("TriggerName", str)
"""Unique in one deployment; names the worker in logs, metrics and the admin API."""

SequenceId = NewType("SequenceId", str)
"""A position of a trigger. Opaque: never compared by order, trimmed or decoded (D7)."""

Generation = NewType("Generation", int)
"""0 at first, raised by one by each reset; part of every idempotency key (D4)."""

Label: TypeAlias = tuple[str, ...]
"""The levels of a label, outermost first: ("Trade", "Settlement")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRef:
    """Where a trigger lives on the platform."""

    project: str
    dataset: str
    trigger: str

    @property
    def identity(self) -> str:
        """What idempotency keys and the ledger name the trigger by; stays when its local name changes."""
        return f"{self.project}/{self.dataset}/{self.trigger}"


Bytes: TypeAlias = bytes | memoryview
"""Of a result within its page, which is not copied."""


class Prediction(Protocol):
    """A label the model gave to a comment. A Protocol, so that the decoder's own struct serves without a copy (D6)."""

    @property
    def name(self) -> Label: ...
    @property
    def probability(self) -> float: ...
    @property
    def sentiment(self) -> float | None:
        """-1 to 1; None where the dataset has no sentiment."""


class Entity(Protocol):
    """What routing needs of an entity."""

    @property
    def kind(self) -> str:
        """The platform's kind, such as `monetary-quantity`; empty where it sent none."""

    @property
    def name(self) -> str:
        """Today's field name; empty where it sent none."""


class Comment(Protocol):
    """What routing needs of a comment; the rest stays in the raw result."""

    @property
    def uid(self) -> str: ...
    @property
    def thread_id(self) -> str | None: ...
    @property
    def created_at(self) -> str:
        """Upload time as the platform wrote it; empty where it wrote none."""

    @property
    def user_properties(self) -> Mapping[str, str | float | int | bool | None]: ...


class Result(Protocol):
    """One result of a batch: decoded as far as routing needs, with its bytes as the platform sent them."""

    @property
    def raw(self) -> bytes:
        """The result's own JSON object, byte for byte."""

    @property
    def rest(self) -> Bytes:
        """The same behind its opening brace."""

    def kept(self) -> Result:
        """The same, to be kept: a result may be a view of its page, and hold all of that in memory."""

    @property
    def sequence_id(self) -> SequenceId: ...
    @property
    def comment(self) -> Comment: ...
    @property
    def labels(self) -> Sequence[Prediction]: ...
    @property
    def entities(self) -> Sequence[Entity]: ...
    @property
    def has_reserved_keys(self) -> bool:
        """Its own object has a key `trigger`, `generation` or `route`, which the record needs for itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecodable:
    """A result of a readable page that is not what a result must be. It becomes a dead letter (I8).

    `sequence_id`, `uid` and `created_at` are what could still be read, empty otherwise. `raw_is_json` is false where
    the bytes must not be put into a JSON record as they are: strict readers would refuse the whole of it.
    """

    raw: bytes = field(repr=False)
    reason: str
    sequence_id: SequenceId
    uid: str = ""
    created_at: str = ""
    raw_is_json: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One answer of fetch, in the trigger's order.

    `results` of a large page are `Unread`: decoded anew each time somebody goes through them.
    `sequence_id` is the position after everything the platform looked at; it can lie past the last result (D7).
    `is_end` is None where the platform does not say (it did not in 2020).
    """

    results: Sequence[Result | Undecodable]
    sequence_id: SequenceId
    filtered: int
    is_end: bool | None
    size_asked: int

    @property
    def is_full(self) -> bool:
        """More is likely waiting: everything that was asked for was looked at, and no end was announced."""
        return not self.is_end and len(self.results) + self.filtered >= self.size_asked


def created_at(result: Result | Undecodable) -> str:
    """The upload time as the platform wrote it; empty where it wrote none."""
    return result.created_at if isinstance(result, Undecodable) else result.comment.created_at
