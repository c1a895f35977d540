"""A TransactionalPublisher over a log in memory: transactions, owners that fence each other, faults by script."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bridge.domain.delivery import Delivery, Outcome, Receipt
from bridge.domain.errors import Blocked, BridgeError, Retry
from bridge.domain.model import TriggerName
from bridge.domain.position import Position
from tests.fakes.publisher import PARTITIONS, RECORD_BYTES_MAX, answered, partition_of, size_of


class State(Enum):
    """Of a transaction."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(slots=True)
class Transaction:
    """Its records stand in the log from the moment they are appended; who sees them is another matter."""

    trigger: TriggerName
    epoch: int
    state: State = State.OPEN


@dataclass(frozen=True, slots=True)
class Appended:
    """A record of the log. `position` instead of `delivery` for the position record."""

    transaction: Transaction
    delivery: Delivery | None = None
    position: Position | None = None
    partition: int = 0
    offset: int = 0
    at_ms: float = 0.0


@dataclass(slots=True)
class TransactionalLog:
    """What survives every process: the topics, and who owns which trigger. Every topic exists until `block`."""

    appended: list[Appended] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    epochs: defaultdict[TriggerName, int] = field(default_factory=lambda: defaultdict(int))
    blocked: dict[str, str] = field(default_factory=dict)
    partitions: defaultdict[str, int] = field(default_factory=lambda: defaultdict(lambda: PARTITIONS))
    now_ms: Callable[[], float] = lambda: 0.0

    def owned_by_next(self, trigger: TriggerName) -> int:
        """The epoch of a new owner; what the one before left open is aborted."""
        self.epochs[trigger] += 1
        for transaction in self.transactions:
            if transaction.trigger == trigger and transaction.state is State.OPEN:
                transaction.state = State.ABORTED
        return self.epochs[trigger]

    def committed(self, topic: str) -> list[Appended]:
        """What a read_committed consumer sees: nothing behind the first record of a transaction that is still open."""
        seen: list[Appended] = []
        stopped: set[int] = set()
        for record in self.appended:
            if record.delivery is None or record.delivery.topic != topic or record.partition in stopped:
                continue
            if record.transaction.state is State.OPEN:
                stopped.add(record.partition)
            elif record.transaction.state is State.COMMITTED:
                seen.append(record)
        return seen

    def position(self, trigger: TriggerName) -> Position | None:
        """The last one that is committed."""
        positions = [
            record.position
            for record in self.appended
            if record.position and record.transaction.trigger == trigger and record.transaction.state is State.COMMITTED
        ]
        return positions[-1] if positions else None

    def append(self, transaction: Transaction, delivery: Delivery) -> Appended:
        """At the end of its partition."""
        topic, partition = delivery.topic, partition_of(delivery, self.partitions[delivery.topic])
        offset = sum(
            record.delivery is not None and (record.delivery.topic, record.partition) == (topic, partition)
            for record in self.appended
        )
        appended = Appended(transaction, delivery, partition=partition, offset=offset, at_ms=self.now_ms())
        self.appended.append(appended)
        return appended


Hook = Callable[[str], Awaitable[None]]


async def unseen(step: str) -> None:
    """Nothing happens between the steps."""


class Doubt(Enum):
    """A transaction whose end nobody learns of."""

    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"


class FakeTransactions:
    """Passes the contract suite of the port. Two of them on one log are two processes.

    `hook` is awaited between the steps of a transaction, with the step's name, so that a test can end a process there.
    """

    def __init__(
        self, log: TransactionalLog | None = None, *, hook: Hook = unseen, record_bytes_max: int = RECORD_BYTES_MAX
    ) -> None:
        self.log = log or TransactionalLog()
        self.hook = hook
        self.calls: list[tuple[str, TriggerName]] = []
        self._record_bytes_max = record_bytes_max
        self._epochs: dict[TriggerName, int] = {}
        self._refusals: deque[tuple[frozenset[int], str]] = deque()
        self._doubts: deque[Doubt] = deque()
        self._errors: deque[BridgeError] = deque()

    async def take_over(self, trigger: TriggerName) -> Position | None:
        """Shut out whoever published for it before."""
        self.calls.append(("take_over", trigger))
        self._epochs.pop(trigger, None)
        await self.hook("initialise")
        epoch = self.log.owned_by_next(trigger)
        await self.hook("read")
        self._raise_scripted()
        position = self.log.position(trigger)
        self._epochs[trigger] = epoch
        return position

    async def publish_atomically(
        self, trigger: TriggerName, deliveries: Sequence[Delivery], position: Position
    ) -> Sequence[Receipt]:
        """Commit all of it with the position, or nothing."""
        self.calls.append(("publish", trigger))
        epoch = self._epochs.pop(trigger, None)
        if epoch is None:
            raise Retry("the trigger is not taken over", code="not_taken_over")
        self._raise_scripted()
        for delivery in deliveries:
            if delivery.topic in self.log.blocked:
                raise Blocked(f"the topic {delivery.topic} is blocked", code=self.log.blocked[delivery.topic])
        refused = self._refused(deliveries)
        if refused:
            return [_failed(each, refused.get(place, "transaction_aborted")) for place, each in enumerate(deliveries)]
        receipts = await self._transaction(trigger, epoch, deliveries, position)
        self._epochs[trigger] = epoch
        return answered(deliveries, receipts)

    async def release(self, trigger: TriggerName) -> None:
        """Let its producer go."""
        self.calls.append(("release", trigger))
        self._epochs.pop(trigger, None)

    def owns(self, trigger: TriggerName) -> bool:
        """Whether it has a producer for the trigger."""
        return trigger in self._epochs

    def refuse_next(self, places: Collection[int], code: str = "too_large") -> None:
        """In the next transaction these records are refused by an answer."""
        self._refusals.append((frozenset(places), code))

    def doubt_next(self, doubt: Doubt) -> None:
        """Of the next transaction the end is not learned."""
        self._doubts.append(doubt)

    def fail_next(self, error: BridgeError | None = None) -> None:
        """The next call does nothing and raises."""
        self._errors.append(error or Retry("no broker answers", code="broker_unavailable"))

    async def _transaction(
        self, trigger: TriggerName, epoch: int, deliveries: Sequence[Delivery], position: Position
    ) -> list[Receipt]:
        transaction = Transaction(trigger, epoch)
        await self.hook("begin")
        self._refuse_if_fenced(trigger, epoch)
        self.log.transactions.append(transaction)
        receipts: list[Receipt] = []
        for delivery in deliveries:
            await self.hook("append")
            self._refuse_if_fenced(trigger, epoch)
            receipts.append(_acked(self.log.append(transaction, delivery)))
        self.log.appended.append(Appended(transaction, position=position))
        await self.hook("commit")
        self._refuse_if_fenced(trigger, epoch)
        doubt = self._doubts.popleft() if self._doubts else None
        if doubt is not Doubt.BEFORE_COMMIT:
            transaction.state = State.COMMITTED
        await self.hook("answer")
        if doubt is not None:
            raise Retry("the outcome of a transaction is not known", code="timeout")
        return receipts

    def _refused(self, deliveries: Sequence[Delivery]) -> dict[int, str]:
        refused = {
            place: "too_large" for place, each in enumerate(deliveries) if size_of(each) > self._record_bytes_max
        }
        if self._refusals:
            places, code = self._refusals.popleft()
            refused |= dict.fromkeys(places, code)
        return refused

    def _refuse_if_fenced(self, trigger: TriggerName, epoch: int) -> None:
        if self.log.epochs[trigger] != epoch:
            raise Blocked("another process has taken the trigger over", code="taken_over")

    def _raise_scripted(self) -> None:
        if self._errors:
            raise self._errors.popleft()


def _acked(record: Appended) -> Receipt:
    assert record.delivery is not None
    return Receipt(
        mark=record.delivery.mark,
        outcome=Outcome.ACKED,
        topic=record.delivery.topic,
        partition=record.partition,
        offset=record.offset,
    )


def _failed(delivery: Delivery, code: str) -> Receipt:
    return Receipt(mark=delivery.mark, outcome=Outcome.FAILED, topic=delivery.topic, partition=0, code=code)
