"""The transactional publisher: a batch and its position, all or nothing, by the trigger's newest owner (D3)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

from bridge.adapters.kafka.admin import READ_COMMITTED, end_offset
from bridge.adapters.kafka.batch import PlainContent
from bridge.adapters.kafka.client import CLOSE_TIMEOUT_S, Client, check_settings
from bridge.adapters.kafka.directory import Directory
from bridge.adapters.kafka.failures import FOREIGN, Failure, failure_of, translated
from bridge.adapters.kafka.line import BATCH_BYTES_MAX, TRANSACTION_TIMEOUT_MS
from bridge.adapters.kafka.packing import lanes_for, receipts_of
from bridge.adapters.kafka.parcel import Lane, Lanes, all_parcels
from bridge.adapters.kafka.reader import read_committed
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_format import position_of, position_record
from bridge.adapters.kafka.state_topic import PARTITION, state_topic
from bridge.adapters.kafka.transaction import Session, TransactionalProducer
from bridge.domain.delivery import Delivery, Outcome, Receipt
from bridge.domain.errors import Blocked, BridgeError, Retry
from bridge.domain.model import TriggerName
from bridge.domain.position import Position
from bridge.ports import Clock

TRANSACTION_S_MAX = TRANSACTION_TIMEOUT_MS / 1000 * 0.8
"""We give up before the broker does, so that a transaction it aborts by itself is a dead owner's."""
TAKE_OVER_S_MIN = TRANSACTION_TIMEOUT_MS / 1000 + 15.0
"""Given to a take-over at least: a transaction that a dead process left open elsewhere on the state topic hides what is
behind it until the broker ends it, and the broker looks for such every 10 s only. Begun anew it would wait as long."""
ABORTED = Failure(code="transaction_aborted", before_append=True)
FENCED = "producer_fenced"
HANGING = "transaction_hanging"


def transactional_id(deployment: str, trigger: TriggerName) -> str:
    """Names the one who may publish for a trigger: whoever initialises it last."""
    return f"{deployment}.{trigger}"


class KafkaTransactions:
    """One producer for each trigger that was taken over and has something to publish; ended at the first doubt.

    `on_abandoned` is told, with a stable word, each time a producer is given up while the outcome of its transaction is
    open. A trigger costs a producer with its own connections here: a few hundred a process are the ceiling.
    """

    def __init__(
        self, settings: KafkaSettings, deployment: str, clock: Clock, *, on_abandoned: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._deployment = deployment
        self._state_topic = state_topic(deployment)
        self._clock = clock
        self._on_abandoned = on_abandoned
        self._directory = Directory(settings, clock)
        self._turns: Counter[str] = Counter()
        self._sessions: dict[TriggerName, Session] = {}
        self._reaping: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def __aenter__(self) -> Self:
        check_settings(self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Bounded. What is open is aborted by the next owner, or by the broker in time."""
        self._is_closed = True
        for trigger in list(self._sessions):
            self._end(trigger)
        if self._reaping:
            await asyncio.wait(self._reaping, timeout=2 * CLOSE_TIMEOUT_S)

    async def take_over(self, trigger: TriggerName) -> Position | None:
        """As the port says, within `publish_timeout_s` or `TAKE_OVER_S_MIN`, whichever is longer.

        Raises Fatal for a position that cannot be read.
        """
        if self._is_closed:
            raise Retry("the publisher is closed", code="closed")
        self._end(trigger)
        session = Session(TransactionalProducer(self._settings, transactional_id(self._deployment, trigger)))
        self._sessions[trigger] = session
        step, end = "its predecessor is fenced", 0
        try:
            async with asyncio.timeout(max(self._settings.publish_timeout_s, TAKE_OVER_S_MIN)):
                await session.producer.start()
                step = "the state topic is looked up"
                await self._know_state_topic(session.line.client)
                # From here on nobody else can commit for the trigger, so all there will ever be lies below this end.
                end = await end_offset(session.line.client, self._state_topic, PARTITION)
                step = f"the positions below {end} are read"
                records = await read_committed(self._settings, self._state_topic, PARTITION, end)
            return position_of(trigger, records)
        except FOREIGN as error:
            hanging = await self._hanging_below(session.line.client, end)
            self._end(trigger)
            raise hanging or _why(error, f"the trigger {trigger} cannot be taken over while {step}") from error
        except BaseException:
            self._end(trigger)
            raise

    async def publish_atomically(
        self, trigger: TriggerName, deliveries: Sequence[Delivery], position: Position
    ) -> Sequence[Receipt]:
        """As the port says, within `publish_timeout_s` and the broker's patience with transactions."""
        session = self._sessions.get(trigger)
        if session is None:
            raise Retry(f"the trigger {trigger} is not taken over", code="not_taken_over")
        deadline_s = asyncio.get_running_loop().time() + min(self._settings.publish_timeout_s, TRANSACTION_S_MAX)
        lanes = await self._prepared(session, deliveries, deadline_s)
        own = self._lane_of(trigger, position)
        if await self._is_committed(trigger, session, [*lanes, own], deadline_s):
            return receipts_of(deliveries, lanes)
        self._learn_from(lanes)
        receipts = _aborted(receipts_of(deliveries, lanes))
        failed = next(
            (failure for outcome, failure in (p.fate for p in own.parcels) if outcome is not Outcome.ACKED), None
        )
        if failed is not None and all(receipt.code == ABORTED.code for receipt in receipts):
            kind = Blocked if failed.blocked else Retry
            raise kind(f"the state topic {self._state_topic} did not take a position: {failed.code}", code=failed.code)
        return receipts

    async def release(self, trigger: TriggerName) -> None:
        """As the port says."""
        self._end(trigger)

    async def _prepared(self, session: Session, deliveries: Sequence[Delivery], deadline_s: float) -> Lanes:
        """Everything that can go wrong before a transaction is begun."""
        topics = {delivery.topic for delivery in deliveries}
        try:
            async with asyncio.timeout_at(deadline_s):
                shapes = await self._directory.shapes(session.line.client, topics)
        except FOREIGN as error:
            raise translated(error, "kafka cannot be published to") from error
        self._turns.update(topics)
        now_ms = round(self._clock.now().timestamp() * 1000)
        return lanes_for(deliveries, shapes, self._turns, self._settings.compression, now_ms, is_transactional=True)

    async def _is_committed(self, trigger: TriggerName, session: Session, lanes: Lanes, deadline_s: float) -> bool:
        try:
            async with asyncio.timeout_at(deadline_s):
                committed = await session.carried(lanes)
        except BaseException as error:
            if isinstance(error, FOREIGN):
                self._abandon(trigger, session.line.client.trouble or failure_of(error).code)
                raise _why(error, f"the outcome of a transaction of {trigger} is not known") from error
            self._abandon(trigger, "cancelled" if isinstance(error, asyncio.CancelledError) else "internal")
            raise
        if not committed:
            # Its sequence numbers are taken and not written: the broker would refuse all that follows them.
            self._end(trigger)
        return committed

    def _lane_of(self, trigger: TriggerName, position: Position) -> Lane:
        lane = Lane(self._state_topic, PARTITION, BATCH_BYTES_MAX, self._settings.compression, is_transactional=True)
        record = position_record(trigger, position)
        if not lane.add(0, None, PlainContent(record.key, record.value or b"")):
            raise Blocked(f"the position of {trigger} is too large to be kept", code="state_too_large")
        return lane

    async def _know_state_topic(self, client: Client) -> None:
        if not await client.track(client.tracked | {self._state_topic}):
            raise Retry("no broker says which topics there are", code="broker_unavailable")
        if client.cluster.partitions_for_topic(self._state_topic) is None:
            raise Retry(f"the state topic {self._state_topic} is not there", code="topic_missing")

    async def _hanging_below(self, client: Client, end: int) -> Blocked | None:
        """Says so where a transaction without an end hides what is committed: no broker ends such a one by itself."""
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                open_at = await end_offset(client, self._state_topic, PARTITION, READ_COMMITTED) if end else end
        except FOREIGN:
            # Then the broker is at fault, and the error that brought us here says it.
            return None
        if open_at >= end:
            return None
        return Blocked(
            f"on {self._state_topic} a transaction has been open since offset {open_at} for longer than one of ours may"
            " be, and hides the positions behind it: see 'A transaction without an end' in the README",
            code=HANGING,
        )

    def _learn_from(self, lanes: Lanes) -> None:
        for parcel in all_parcels(lanes):
            if parcel.fate[1].code == "batch_too_large":
                self._directory.refused(parcel.topic, parcel.size)

    def _abandon(self, trigger: TriggerName, reason: str) -> None:
        self._end(trigger)
        self._on_abandoned(reason)

    def _end(self, trigger: TriggerName) -> None:
        """Nothing leaves the producer after this."""
        session = self._sessions.pop(trigger, None)
        if session is None:
            return
        session.producer.cut()
        reaping = asyncio.create_task(session.producer.reap(), name="kafka-transactional-producer-reap")
        self._reaping.add(reaping)
        reaping.add_done_callback(self._reaping.discard)


def _aborted(receipts: Sequence[Receipt]) -> list[Receipt]:
    """None of it will be visible, whatever the broker said of it alone."""
    return [replace(each, outcome=Outcome.FAILED, offset=-1, code=each.code or ABORTED.code) for each in receipts]


def _why(error: BaseException, doing: str) -> BridgeError:
    """Fenced: somebody else has taken the trigger over. Taking it back at once would go on for ever (I6)."""
    if failure_of(error).code == FENCED:
        return Blocked(f"{doing}: another process has taken it over, or the broker ended it", code="taken_over")
    return translated(error, doing)
