"""A seat in the deployment's consumer group, by FastStream's subscriber of the control topic (D2)."""
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, InvalidPartitionsError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from typing_extensions import override

from bridge.adapters.kafka.connection import client_options
from bridge.adapters.kafka.control_format import UnknownCommandError, command_of
from bridge.adapters.kafka.control_topic import KafkaControl, control_topic
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.member import LEAVE_TIMEOUT_S, Member
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.errors import Retry
from bridge.domain.membership import sure_s
from bridge.domain.model import TriggerName
from bridge.domain.standing import Place
from bridge.ports import Clock, Seat

COMMIT_TIMEOUT_S = 5.0
MARGIN_S = 5.0
REBALANCE_TIMEOUT_S = 30.0
"""How long the group waits for a member to stop its work and come again; then it goes on without it."""
IDLE_MS_MAX = 24 * 3_600_000
"""A member that reads no command for that long is thrown out; commands are rare, so this is not for us."""


class KafkaMembership:
    """Made of its `control`, whose partitions are the shares. One `sit` at a time.

    `on_unknown` is told the offset and the partition of a record that is no command of this release.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        deployment: str,
        control: KafkaControl,
        clock: Clock,
        *,
        on_unknown: Callable[[int, int], None] = lambda _partition, _offset: None,
    ) -> None:
        self._settings = settings
        self._group = settings.group
        self._deployment = deployment
        self._topic = control_topic(deployment)
        self._control = control
        self._clock = clock
        self._on_unknown = on_unknown
        self._member: Member | None = None

    def sure_s(self) -> float:
        """As the port says."""
        contact_s = self._member.client.contact_s if self._member else None
        return sure_s(contact_s, self._group.session_timeout_s, self._clock.monotonic_s())

    async def sit(self, seat: Seat, stop: asyncio.Event) -> None:
        """As the port says."""
        await self._control.check(anew=True)
        listener = Listener(seat, self._control, self._is_whole)
        broker = self._broker(seat, listener)
        try:
            await broker.connect()
            # FastStream makes its consumer itself; this one is over our client, and tells when it breaks.
            broker.config.broker_config.builder = self._made
            await self._until(stop, broker)
        except FOREIGN as error:
            raise translated(error, f"the group {self._deployment} cannot be joined") from error
        finally:
            await listener.close()
            await self._leave(broker)

    async def _until(self, stop: asyncio.Event, broker: KafkaBroker) -> None:
        """Raises what broke the seat. Starting waits for an assignment, which is as long as others need to stop."""
        stopping = asyncio.ensure_future(stop.wait())
        starting = asyncio.ensure_future(broker.start())
        try:
            await asyncio.wait({stopping, starting}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                return
            starting.result()
            if self._member is None:
                raise Retry("the member of the group was not made", code="not_started")
            await asyncio.wait({stopping, self._member.broken}, return_when=asyncio.FIRST_COMPLETED)
            if self._member.broken.done():
                raise self._member.broken.result()
        finally:
            for task in (stopping, starting):
                task.cancel()
            await asyncio.gather(stopping, starting, return_exceptions=True)

    async def _leave(self, broker: KafkaBroker) -> None:
        member, self._member = self._member, None
        leaving = asyncio.ensure_future(broker.stop())
        await asyncio.wait({leaving}, timeout=2 * LEAVE_TIMEOUT_S)
        if member is not None:
            await member.stop()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)

    def _made(self, **options: Any) -> Member:
        # A request to join is answered when every other member has come again, or the rebalance has timed out.
        timeout_ms = round((REBALANCE_TIMEOUT_S + MARGIN_S) * 1000)
        ours = {**client_options(self._settings), "request_timeout_ms": timeout_ms}
        self._member = Member(self._settings, self._clock, self._topic, **{**options, **ours})
        return self._member

    def _is_whole(self) -> bool:
        """The shares are those that all replicas count; otherwise two could own a trigger (I6), so nobody does."""
        member = self._member
        known = member.client.cluster.partitions_for_topic(self._topic) if member else None
        if member is None or len(known or ()) == self._group.partitions:
            return member is not None
        if not member.broken.done():
            member.broken.set_result(
                InvalidPartitionsError(f"the topic {self._topic} has {len(known or ())} partitions")
            )
        return False

    def _broker(self, seat: Seat, listener: Listener) -> KafkaBroker:
        broker = KafkaBroker(
            self._settings.bootstrap_servers,
            consumer_only=True,
            apply_types=False,
            logger=None,
            graceful_timeout=LEAVE_TIMEOUT_S,
        )
        subscriber = broker.subscriber(
            self._topic,
            group_id=self._deployment,
            group_instance_id=self._group.instance_id,
            listener=listener,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            auto_offset_reset="earliest",
            session_timeout_ms=round(self._group.session_timeout_s * 1000),
            heartbeat_interval_ms=round(self._group.heartbeat_s * 1000),
            rebalance_timeout_ms=round(REBALANCE_TIMEOUT_S * 1000),
            max_poll_interval_ms=IDLE_MS_MAX,
            partition_assignment_strategy=[_own_assignor()],
            isolation_level="read_committed",
        )

        async def whole(message: KafkaMessage) -> Any:
            """The record itself, with its place."""
            return message.raw_message

        @subscriber(decoder=whole)
        async def obey(record: ConsumerRecord[bytes, bytes]) -> None:
            try:
                command = command_of(record.value)
            except UnknownCommandError:
                self._on_unknown(record.partition, record.offset)
                await self._commit(record)
                return
            if await seat.commanded(command, Place(offset=record.offset, at_ms=record.timestamp)):
                await self._commit(record)

        return broker

    async def _commit(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Where it fails the command is delivered again, and does nothing."""
        member = self._member
        if member is None:
            return
        place = TopicPartition(record.topic, record.partition)
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await member.commit({place: record.offset + 1})
        except (*FOREIGN, IllegalStateError):
            return


class Listener(ConsumerRebalanceListener):
    """Told by aiokafka before and after each rebalance; heartbeats go on before, and wait after."""

    def __init__(self, seat: Seat, control: KafkaControl, is_whole: Callable[[], bool]) -> None:
        self._seat = seat
        self._control = control
        self._is_whole = is_whole
        self._is_closed = False

    @override
    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._seat.revoked()

    @override
    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        mine = frozenset(place.partition for place in assigned)

        def is_mine(name: TriggerName) -> bool:
            return self._control.partition_of(name) in mine

        if not self._is_closed and self._is_whole():
            self._seat.assigned(is_mine)

    async def close(self) -> None:
        """Nothing is assigned any more."""
        self._is_closed = True
        await self._seat.revoked()


def _own_assignor() -> type[StickyPartitionAssignor]:
    """aiokafka's sticky assignor keeps what it remembers in the class: each member needs one of its own."""
    return type("StickyAssignor", (StickyPartitionAssignor,), {})
