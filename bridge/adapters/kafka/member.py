"""aiokafka's group consumer over our client, which notes when the group last answered it."""
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.client import ConnectionGroup
from aiokafka.errors import (
    IllegalGenerationError,
    KafkaError,
    NoError,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest
from typing_extensions import override

from bridge.adapters.kafka.client import CLOSE_TIMEOUT_S, Client
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.ports import Clock

STILL_A_MEMBER = (NoError, RebalanceInProgressError)
NO_MEMBER = (UnknownMemberIdError, IllegalGenerationError)
LEAVE_TIMEOUT_S = 5.0


class MemberClient(Client):
    """Notes when a request was sent that the coordinator answered as to a member; None once it says otherwise."""

    clock: Clock
    heartbeat_timeout_s: float
    contact_s: float | None = None

    @override
    async def send(self, node_id: Any, request: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT) -> Any:
        if not isinstance(request, HeartbeatRequest | SyncGroupRequest):
            return await super().send(node_id, request, group=group)
        sent_s = self.clock.monotonic_s()
        sending = super().send(node_id, request, group=group)
        answer = await (self._soon(sending, node_id, group) if isinstance(request, HeartbeatRequest) else sending)
        error = for_code(answer.error_code)
        if error in STILL_A_MEMBER:
            self.contact_s = sent_s
        elif error in NO_MEMBER:
            self.contact_s = None
        return answer

    async def _soon(self, sending: Any, node_id: Any, group: ConnectionGroup) -> Any:
        """A coordinator behind a dead connection is looked for anew while the session still lasts."""
        try:
            async with asyncio.timeout(self.heartbeat_timeout_s):
                return await sending
        except TimeoutError as error:
            connection = self._conns.pop((node_id, group), None)
            if connection is not None:
                connection.close()
            raise RequestTimedOutError("heartbeat") from error


class Member(AIOKafkaConsumer):
    """One that ends within a bound, and at its first error: whoever holds it makes another (D14)."""

    def __init__(self, settings: KafkaSettings, clock: Clock, topic: str, **options: Any) -> None:
        super().__init__(**options)
        self._topic_name = topic
        self.broken: asyncio.Future[KafkaError] = asyncio.get_running_loop().create_future()
        self.client = MemberClient.narrow(self._client)
        self.client.clock = clock
        self.client.heartbeat_timeout_s = settings.group.session_timeout_s / 3

    @override
    async def _wait_topics(self) -> None:
        """Look the topic up; asking makes none."""
        await self.client.track({self._topic_name})
        if self.client.cluster.partitions_for_topic(self._topic_name) is None:
            raise UnknownTopicOrPartitionError(self._topic_name)

    @override
    async def getone(self, *partitions: Any) -> Any:
        try:
            return await super().getone(*partitions)
        except KafkaError as error:
            if not self.broken.done():
                self.broken.set_result(error)
            # Until it is cancelled: nothing comes out of a broken one, and to ask it again would be a busy loop.
            return await asyncio.get_running_loop().create_future()

    @override
    async def stop(self) -> None:
        """Leave the group, so that the others need not wait for the session to end; then cut."""
        stopping = asyncio.ensure_future(super().stop())
        await asyncio.wait({stopping}, timeout=LEAVE_TIMEOUT_S)
        self.client.cut()
        done, late = await asyncio.wait({stopping}, timeout=CLOSE_TIMEOUT_S)
        for task in late:
            task.cancel()
        # How a member that is thrown away ends changes nothing; looking at it keeps asyncio from complaining.
        _ = [task.exception() for task in done if not task.cancelled()]
