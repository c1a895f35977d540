"""A Publisher over logs in memory, with faults by script."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from aiokafka.partitioner import murmur2

from bridge.domain.delivery import Ack, AllAcked, Delivery, Outcome, Receipt
from bridge.domain.errors import Blocked, BridgeError, Retry

RECORD_BYTES_MAX = 900_000
RECORD_OVERHEAD_BYTES = 100
PARTITIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """A record of a log."""

    delivery: Delivery
    partition: int
    offset: int
    at_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What becomes of the next call. `places` are the records it strikes, None for all.

    Acked records stand before it on their partition; what is behind it on its partition is not sent.
    """

    outcome: Outcome
    code: str
    places: frozenset[int] | None = None
    appended: bool = False
    blocked: bool = False


class FakePublisher:
    """Passes the contract suite of the Publisher port. Every topic exists until `block`.

    `calls` holds what was asked, in order, `log` every record in the order of appending. A `gate` that is not set
    keeps a call from its end: what it appended is appended, and a call cancelled there does not tell.
    """

    def __init__(
        self,
        *,
        partitions: int = PARTITIONS,
        record_bytes_max: int = RECORD_BYTES_MAX,
        now_ms: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._partitions: defaultdict[str, int] = defaultdict(lambda: partitions)
        self._record_bytes_max = record_bytes_max
        self._now_ms = now_ms
        self._blocked: dict[str, str] = {}
        self._faults: deque[Fault] = deque()
        self._out: BridgeError | None = None
        self._ends: Counter[tuple[str, int]] = Counter()
        self._turns: Counter[str] = Counter()
        self.calls: list[tuple[Delivery, ...]] = []
        self.log: list[Appended] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def prepare(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        return [*deliveries]

    async def publish(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        """One receipt per delivery, in their order."""
        self.calls.append(tuple(deliveries))
        if self._out is not None:
            raise self._out
        self._refuse_blocked({delivery.topic for delivery in deliveries})
        receipts = self._send(deliveries) if deliveries else []
        await asyncio.sleep(0)
        await self.gate.wait()
        return answered(deliveries, receipts)

    def fail_next(self, places: Collection[int] | None, code: str = "record_refused", *, blocked: bool = False) -> None:
        """In the next call, these records (all, without a list) are refused."""
        self._faults.append(Fault(outcome=Outcome.FAILED, code=code, places=_frozen(places), blocked=blocked))

    def lose_answer(
        self, places: Collection[int] | None = None, *, appended: bool = True, code: str = "timeout"
    ) -> None:
        """In the next call, nobody learns what became of these records (all, without a list)."""
        self._faults.append(Fault(outcome=Outcome.UNKNOWN, code=code, places=_frozen(places), appended=appended))

    def go_down(self, error: BridgeError | None = None) -> None:
        """Every call fails before anything is sent, until `come_back`."""
        self._out = error or Retry("no broker answers", code="broker_unavailable")

    def come_back(self) -> None:
        """Ends `go_down`."""
        self._out = None

    def block(self, topic: str, code: str = "topic_missing") -> None:
        """The topic is missing, or not allowed, until `unblock`."""
        self._blocked[topic] = code

    def unblock(self, topic: str, *, partitions: int | None = None) -> None:
        """Ends `block`."""
        self._blocked.pop(topic, None)
        if partitions is not None:
            self._partitions[topic] = partitions

    def records(self, topic: str) -> list[Appended]:
        """What a topic holds, in the order of appending."""
        return [record for record in self.log if record.delivery.topic == topic]

    def _refuse_blocked(self, topics: Collection[str]) -> None:
        for topic in sorted(topics):
            if topic in self._blocked:
                raise Blocked(f"the topic {topic} cannot be published to", code=self._blocked[topic])

    def _send(self, deliveries: Sequence[Delivery]) -> list[Receipt]:
        fault = self._faults.popleft() if self._faults else None
        self._turns.update({delivery.topic for delivery in deliveries})
        broken: set[tuple[str, int]] = set()
        receipts = []
        for place, delivery in enumerate(deliveries):
            partition = self._partition(delivery)
            struck = fault if fault and (fault.places is None or place in fault.places) else None
            if size_of(delivery) > self._record_bytes_max:
                receipts.append(_not_acked(delivery, partition, Outcome.FAILED, "too_large"))
            elif (delivery.topic, partition) in broken:
                receipts.append(_not_acked(delivery, partition, Outcome.FAILED, "not_sent"))
            elif struck is None:
                receipts.append(self._append(delivery, partition))
            else:
                receipts.append(self._strike(delivery, partition, struck, broken))
        return receipts

    def _strike(self, delivery: Delivery, partition: int, fault: Fault, broken: set[tuple[str, int]]) -> Receipt:
        if fault.appended:
            self._append(delivery, partition)
        elif fault.code != "too_large":
            broken.add((delivery.topic, partition))
        return _not_acked(delivery, partition, fault.outcome, fault.code, blocked=fault.blocked)

    def _append(self, delivery: Delivery, partition: int) -> Receipt:
        offset = self._ends[delivery.topic, partition]
        self._ends[delivery.topic, partition] += 1
        self.log.append(Appended(delivery=delivery, partition=partition, offset=offset, at_ms=self._now_ms()))
        return Receipt(
            mark=delivery.mark, outcome=Outcome.ACKED, topic=delivery.topic, partition=partition, offset=offset
        )

    def _partition(self, delivery: Delivery) -> int:
        partitions = self._partitions[delivery.topic]
        if delivery.key is None:
            return self._turns[delivery.topic] % partitions
        return partition_of(delivery, partitions)


def answered(deliveries: Sequence[Delivery], receipts: Sequence[Receipt]) -> Sequence[Receipt]:
    """As the real ones give them: without one of each where all are acked."""
    if not receipts or any(each.outcome is not Outcome.ACKED for each in receipts):
        return receipts
    return AllAcked(
        deliveries, [Ack(each.topic, each.partition, each.offset, [at]) for at, each in enumerate(receipts)]
    )


def partition_of(delivery: Delivery, partitions: int) -> int:
    """By its key; the first where it has none."""
    return 0 if delivery.key is None else int(murmur2(delivery.key) & 0x7FFFFFFF) % partitions


def size_of(delivery: Delivery) -> int:
    """As a record, roughly."""
    headers = sum(len(name.encode()) + len(value) for name, value in delivery.headers)
    return len(delivery.value) + len(delivery.key or b"") + headers + RECORD_OVERHEAD_BYTES


def _frozen(places: Collection[int] | None) -> frozenset[int] | None:
    return None if places is None else frozenset(places)


def _not_acked(delivery: Delivery, partition: int, outcome: Outcome, code: str, *, blocked: bool = False) -> Receipt:
    return Receipt(
        mark=delivery.mark, outcome=outcome, topic=delivery.topic, partition=partition, code=code, blocked=blocked
    )
