"""Floor 1: what the engine needs of the world. Each port has a real adapter and a fake that pass one suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bridge.domain.commands import Command
from bridge.domain.counts import Counts
from bridge.domain.delivery import Delivery, MarkKey, Receipt
from bridge.domain.model import Batch, SequenceId, TriggerName, TriggerRef
from bridge.domain.plan import TriggerPlan
from bridge.domain.position import Position
from bridge.domain.redrive import RedriveReport, RedriveWish
from bridge.domain.replay_count import ReplayCount
from bridge.domain.settle import Settled
from bridge.domain.standing import Place, Standing
from bridge.domain.status import Report
from bridge.domain.topic_record import Bounds, Search, TopicRecord


class Source(Protocol):
    """The platform's triggers. Every method raises Retry, Throttled, Blocked or StopTrigger, and nothing else."""

    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        """The batch after the trigger's position, which does not move. `size` is 1 to 1024."""
        ...

    async def advance(self, trigger: TriggerRef, settled: Settled) -> None:
        """Move the position past a settled batch (I1: only `settle` makes one)."""
        ...

    async def reset(self, trigger: TriggerRef, to_comment_created_at: datetime) -> SequenceId:
        """Move the position to just before the first comment uploaded at or after that instant."""
        ...


class Publisher(Protocol):
    """The broker."""

    def prepare(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """The same deliveries, with what of a publish can be done before it is known whether they are to be sent.

        Asks nobody, sends nothing and raises nothing. It serves one publish, of all of them, or none.
        """
        ...

    async def publish(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        """One receipt per delivery, in their order, within a bound of its own.

        Raises Blocked before anything is sent when a topic is missing or not allowed, Retry when no broker answers.
        """
        ...


class TransactionalPublisher(Protocol):
    """The broker, for triggers whose batches are transactions (D3): one owner a trigger, the newest.

    Every method raises Retry or Blocked. After anything but a commit the trigger has to be taken over anew: nobody but
    the log can say what became of the transaction, and the old producer is never used again (D14).
    """

    async def take_over(self, trigger: TriggerName) -> Position | None:
        """Shut out whoever published for it before, end what it left open, and read what was committed last."""
        ...

    async def publish_atomically(
        self, trigger: TriggerName, deliveries: Sequence[Delivery], position: Position
    ) -> Sequence[Receipt]:
        """Commit all of it with the position, or nothing.

        Returns a receipt per delivery, in their order: all acked (committed), or none (refused by an answer, aborted;
        the culprits have a code of their own, the others `transaction_aborted` or `not_sent`). Raises where the
        outcome is unknown, or where nothing was begun.
        """
        ...

    async def release(self, trigger: TriggerName) -> None:
        """Let its producer go; raises nothing."""
        ...


class Ledger(Protocol):
    """The marks of what was acked (I2). Both methods are one round trip and raise Retry when the ledger is out."""

    async def marked(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> frozenset[MarkKey]:
        """Which of these are marked."""
        ...

    async def mark(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> None:
        """Mark these for at least the configured time. Repeating it is harmless."""
        ...


class StateStore(Protocol):
    """What must survive and is not in the platform: pauses, generations, resets (D18). Durable before it returns."""

    async def load(self) -> Mapping[TriggerName, Standing]:
        """The latest standing of every trigger that has one. Raises Retry."""
        ...

    async def save(self, name: TriggerName, standing: Standing) -> None:
        """Replace the standing of a trigger. Raises Retry; then it may or may not be there, and is saved again."""
        ...


class Bulletin(Protocol):
    """What every replica can see of every trigger: the standings as they are written, and the owners' reports (D19)."""

    async def catch_up(self) -> None:
        """Return once everything is seen that was written before the call. Raises Retry or Blocked."""
        ...

    def standing(self, name: TriggerName) -> Standing:
        """The latest that was seen; nobody's wish is a standing too."""
        ...

    def report(self, name: TriggerName) -> Report | None:
        """The latest of its owner, who may be gone since."""
        ...

    def counts(self, name: TriggerName) -> Counts | None:
        """The latest of an owner that had counted something, who may be gone since."""
        ...

    def changed(self) -> asyncio.Event:
        """Set at the next change of anything; asked for anew each time, and before looking."""
        ...

    def overwritten(self) -> Collection[TriggerName]:
        """Triggers of which another process than this one wrote the standing since this was last asked."""
        ...

    async def post(self, reports: Sequence[Report], counts: Sequence[Counts] = ()) -> None:
        """Let the other replicas see these. Raises Retry or Blocked; what is lost is followed by others."""
        ...


class Control(Protocol):
    """The commands of the deployment, kept as history (D2). Both methods raise Retry or Blocked."""

    async def append(self, command: Command) -> int:
        """Durable when it returns, with its offset. After a Retry it may be there or not."""
        ...

    async def history(self, name: TriggerName, last: int) -> Sequence[tuple[Place, Command]]:
        """The trigger's last commands, oldest first, as far back as they are kept."""
        ...


class Seat(Protocol):
    """What its holder is told by the membership; the engine's side of it."""

    async def revoked(self) -> None:
        """Stop working on everything, within a bound: others may own it once this returns (I6)."""
        ...

    def assigned(self, is_mine: Callable[[TriggerName], bool]) -> None:
        """From now on, and until revoked, the triggers for which this is true are owned here."""
        ...

    async def commanded(self, command: Command, place: Place) -> bool:
        """Obey; false when it was not and another member is to."""
        ...


class Membership(Protocol):
    """A seat in the group that shares the triggers of the deployment among its replicas (D2)."""

    async def sit(self, seat: Seat, stop: asyncio.Event) -> None:
        """Take part until `stop`; then leave, so that the others need not wait. Raises Retry or Blocked.

        However it ends, the seat has been told that all is revoked.
        """
        ...

    def sure_s(self) -> float:
        """Seconds for which nobody else can own what is assigned here; none are left when it is not positive (D15)."""
        ...


class TopicReader(Protocol):
    """What lies on the topics, as a read_committed consumer sees it. Every method raises Retry or Blocked.

    Made for questions beside running workers: one or two at a time, each within a bound of time, on connections of
    their own.
    """

    async def deliveries(self, uid: str, plans: Sequence[TriggerPlan], bounds: Bounds) -> Search:
        """Where a comment went on the topics of these triggers, dead letters included."""
        ...

    async def dead_letters(self, plan: TriggerPlan, bounds: Bounds) -> Search:
        """The dead letters of a trigger."""
        ...


class ReplayCounter(Protocol):
    """How much a replay would bring again."""

    async def count(self, plan: TriggerPlan, since: datetime, until: datetime | None) -> ReplayCount:
        """By the records on the trigger's topics, as a read_committed consumer sees them. Raises Retry or Blocked."""
        ...


class DeadLetterLog(Protocol):
    """The topics as a redrive needs them. Every method raises Retry or Blocked."""

    def dead_letters_in_order(
        self, plan: TriggerPlan, since: datetime | None
    ) -> AsyncGenerator[Sequence[TopicRecord], None]:
        """The trigger's dead letters with their values, in each partition's order, some at a time."""
        ...

    async def marks_of(self, plan: TriggerPlan, uids: Collection[str], since: datetime | None) -> frozenset[MarkKey]:
        """The marks of the records of these comments on the trigger's topics, and of all that were redriven."""
        ...


class Recovery(Protocol):
    """The platform, asked once more for results that are on no topic as a whole."""

    async def recover(self, trigger: TriggerRef, uids: Collection[str]) -> Mapping[str, bytes]:
        """Results by uid, as JSON objects without a sequence id; a comment that is gone is left out.

        Comments are as they are now; labels and entities are predicted anew by the model the trigger is pinned to.
        Raises what a fetch raises.
        """
        ...


class Redrive(Protocol):
    """Dead letters, decided again by the rules of now."""

    async def redrive(
        self, plan: TriggerPlan, wish: RedriveWish, told: Callable[[int, int], None] = lambda _done, _all: None
    ) -> RedriveReport:
        """`told` hears how many of how many are done. Raises Retry or Blocked before the first is sent; later failures
        are fates in the report. Repeating it sends nothing twice: what is on the topics is read first."""
        ...


class Clock(Protocol):
    """The only time there is."""

    def now(self) -> datetime:
        """Wall time, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """For durations and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Cancellable."""
        ...

    async def wait(self, event: asyncio.Event, timeout_s: float) -> bool:
        """Sleep until the event or the time-out; true when it was the event."""
        ...
