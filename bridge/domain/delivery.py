"""What is sent, under which key, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import blake2b
from typing import Final, NamedTuple, NewType, overload

from typing_extensions import override

from bridge.domain.model import Bytes, Generation, SequenceId

MarkKey = NewType("MarkKey", bytes)
"""An idempotency key: 16 bytes (D4)."""

MARK_KEY_BYTES = 16


def mark_key(identity: str, generation: Generation, sequence_id: SequenceId, route: str) -> MarkKey:
    """The key of one delivery (D4): a changed comment is a new sequence id, a reset a new generation.

    Each field stands behind its length, so no two different deliveries spell alike, whatever the platform puts in.
    """
    return MarkKeys(identity, generation).of(sequence_id, route)


class MarkKeys:
    """The keys of one trigger in one generation; what they share is spelled once."""

    def __init__(self, identity: str, generation: Generation) -> None:
        shared = f"{_spelled(identity)}{_spelled(str(generation))}"
        self._shared = blake2b(shared.encode("utf-8", "surrogatepass"), digest_size=MARK_KEY_BYTES)

    def of(self, sequence_id: SequenceId, route: str) -> MarkKey:
        """As `mark_key`."""
        digest = self._shared.copy()
        digest.update(f"{len(sequence_id)}:{sequence_id}{len(route)}:{route}".encode("utf-8", "surrogatepass"))
        return MarkKey(digest.digest())


def _spelled(field: str) -> str:
    return f"{len(field)}:{field}"


Headers = tuple[tuple[str, bytes], ...]
HeaderNames = tuple[str, ...]


@dataclass(slots=True)
class Delivery:
    """One record to be, on one topic. Deliveries of a batch stand in the trigger's order (I9).

    Its value is `front` and then `rest`, joined by whoever sends it: those of a batch are more than the processor's
    caches hold, and each copy of them takes its time. `own_texts` stand behind `own_names`, one object for many.

    What the platform wrote is in no representation of it (I10). Never changed, and yet not frozen, and made by position
    where there is one of them for every record: that takes 0.2 microseconds, by keyword 0.6, frozen 1.2.
    """

    mark: MarkKey
    topic: str
    route: str
    key: bytes | None = field(repr=False)
    front: bytes = field(repr=False)
    rest: Bytes = field(repr=False)
    shared_headers: Headers = field(repr=False)
    own_names: HeaderNames = field(repr=False)
    own_texts: tuple[bytes, ...] = field(repr=False)
    sequence_id: SequenceId
    uid: str
    dead_letter_reason: str | None = None

    @property
    def value(self) -> bytes:
        """The record, copied: for whoever looks at it, not for whoever sends it."""
        return b"".join((self.front, self.rest))

    @property
    def headers(self) -> Headers:
        """All of them. The shared ones are one object for all records of a route, to be spelled once."""
        return self.shared_headers + tuple(zip(self.own_names, self.own_texts, strict=True))


TRACEPARENT = "traceparent"


def traced(deliveries: Sequence[Delivery], traceparents: Iterable[str]) -> list[Delivery]:
    """The same records with other trace contexts; every one has the same length. What records share, they share still.

    The trace context is one of the shared headers, as long as it is that of the whole pass.
    """
    made, shared_with = [], dict[tuple[int, str], Headers]()
    for delivery, traceparent in zip(deliveries, traceparents, strict=True):
        which = id(delivery.shared_headers), traceparent
        shared = shared_with.get(which)
        if shared is None:
            shared = shared_with[which] = _with_trace(delivery.shared_headers, traceparent)
        made.append(
            Delivery(
                delivery.mark,
                delivery.topic,
                delivery.route,
                delivery.key,
                delivery.front,
                delivery.rest,
                shared,
                delivery.own_names,
                delivery.own_texts,
                delivery.sequence_id,
                delivery.uid,
                delivery.dead_letter_reason,
            )
        )
    return made


def _with_trace(headers: Headers, traceparent: str) -> Headers:
    return tuple((name, traceparent.encode("ascii") if name == TRACEPARENT else text) for name, text in headers)


class Outcome(Enum):
    """Three values, for every send: unknown counts as not done."""

    ACKED = "acked"
    FAILED = "failed"
    UNKNOWN = "unknown"


ACKED: Final = Outcome.ACKED
"""For what asks every record: looking a member up at its enum takes longer than the comparison."""


@dataclass(slots=True)
class Receipt:
    """What the broker said of one delivery. Not frozen, and made by position, for the reasons a Delivery is.

    ACKED: every in-sync replica has it, at `partition` and `offset`. FAILED: it is certainly not in the log.
    UNKNOWN: nobody can say. `code` is a stable word where it is not acked; `blocked` is true where only a change
    outside (a topic, a right) can help; `partition` is the one it was meant for, -1 where none was chosen.
    """

    mark: MarkKey
    outcome: Outcome
    topic: str
    partition: int
    offset: int = -1
    code: str = ""
    blocked: bool = False


class Ack(NamedTuple):
    """The broker has a batch: the deliveries at `indexes` stand one behind the other from `base_offset` on."""

    topic: str
    partition: int
    base_offset: int
    indexes: Sequence[int]


class AllAcked(Sequence[Receipt]):
    """The receipts of `deliveries`, in their order, where every one of them is acked (I1).

    They are made when somebody looks at one, and hardly anybody does: made for each record, judged, counted and freed
    they took 0.6 microseconds of CPU of each. Raises ValueError for acks that are of fewer or of more.
    """

    def __init__(self, deliveries: Sequence[Delivery], acks: Sequence[Ack]) -> None:
        if sum(len(ack.indexes) for ack in acks) != len(deliveries):
            raise ValueError("there are not as many records in the log as deliveries")
        self.deliveries = deliveries
        self._acks = acks
        self._made: Sequence[Receipt] | None = None

    def _receipts(self) -> Sequence[Receipt]:
        if self._made is None:
            made: dict[int, Receipt] = {}
            for topic, partition, base_offset, indexes in self._acks:
                for offset, index in enumerate(indexes, base_offset):
                    made[index] = Receipt(self.deliveries[index].mark, ACKED, topic, partition, offset)
            self._made = [made[index] for index in range(len(self.deliveries))]
        return self._made

    @override
    def __len__(self) -> int:
        return len(self.deliveries)

    @override
    def __iter__(self) -> Iterator[Receipt]:
        return iter(self._receipts())

    @overload
    def __getitem__(self, place: int) -> Receipt: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Receipt]: ...
    @override
    def __getitem__(self, place: int | slice) -> Receipt | Sequence[Receipt]:
        return self._receipts()[place]


def acked_of(deliveries: Sequence[Delivery], receipts: Sequence[Receipt]) -> Sequence[Delivery]:
    """Those of the deliveries that are acked, by their receipts in the same order."""
    if isinstance(receipts, AllAcked) and len(receipts) == len(deliveries):
        return deliveries
    answered = zip(deliveries, receipts, strict=True)
    return [delivery for delivery, receipt in answered if receipt.outcome is ACKED]
