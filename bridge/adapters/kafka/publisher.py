"""The publisher on the data path: our batches, partitions and deadlines, aiokafka's producer (D13, D14)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from bridge.adapters.kafka.client import check_settings
from bridge.adapters.kafka.directory import Directory, Shape
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.line import Line, first_half
from bridge.adapters.kafka.lines import Lines
from bridge.adapters.kafka.packing import Ready, lanes_for, receipts_of
from bridge.adapters.kafka.parcel import Lanes, all_parcels
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.delivery import Delivery, Receipt
from bridge.domain.errors import Retry
from bridge.ports import Clock

BATCH_TOO_LARGE = "batch_too_large"


class KafkaPublisher:
    """One idempotent producer for all triggers of the process; connects at the first use.

    `on_abandoned` is told, with a stable word, each time a producer is given up while something of it may still be
    under way. What is acked is in every in-sync replica (I1); what is behind a failure on its partition is not sent
    (I9), but for records that are too large in themselves: they fail alone, and the others go.
    """

    def __init__(self, settings: KafkaSettings, clock: Clock, *, on_abandoned: Callable[[str], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._lines = Lines(settings, on_abandoned)
        self._directory = Directory(settings, clock)
        self._turns: Counter[str] = Counter()

    async def start(self) -> None:
        """Refuse settings that cannot work (Fatal); no broker is asked yet, for it may come later."""
        check_settings(self._settings)

    async def close(self) -> None:
        """End within a bound. What is under way gets unknown."""
        await self._lines.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ping(self) -> None:
        """Raises Retry or Blocked when no broker takes us in."""
        try:
            async with asyncio.timeout(self._settings.request_timeout_s), self._lines.in_use() as line:
                if not await line.client.force_metadata_update():
                    raise Retry("no broker answers", code="broker_unavailable")
        except FOREIGN as error:
            raise translated(error, "kafka does not answer") from error

    def prepare(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """As the port says: grouped by partition, and the half that goes first is packed.

        Not where a record has no key: its topic's turn is taken when it is sent.
        """
        line = self._lines.current
        shapes = line and self._directory.known(line.client, {delivery.topic for delivery in deliveries})
        if not shapes or any(delivery.key is None for delivery in deliveries):
            return deliveries
        lanes = self._grouped(deliveries, shapes)
        for lane in first_half(lanes):
            lane.pack()
        return Ready(deliveries, lanes)

    async def publish(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        """As the port says, within `publish_timeout_s` over all."""
        if not deliveries:
            return []
        deadline_s = asyncio.get_running_loop().time() + self._settings.publish_timeout_s
        try:
            async with asyncio.timeout_at(deadline_s) as preparing, self._lines.in_use() as line:
                prepared = deliveries.take() if isinstance(deliveries, Ready) else None
                lanes = prepared or await self._lanes(line, deliveries)
                # From here on the deadline ends in receipts, not in an error.
                preparing.reschedule(None)
                await self._lines.deliver(line, lanes, deadline_s)
        except FOREIGN as error:
            raise translated(error, "kafka cannot be published to") from error
        self._learn_from(lanes)
        return receipts_of(deliveries, lanes)

    async def _lanes(self, line: Line, deliveries: Sequence[Delivery]) -> Lanes:
        """Everything that can go wrong before a record is sent."""
        shapes = await self._directory.shapes(line.client, {delivery.topic for delivery in deliveries})
        self._turns.update(shapes.keys())
        return self._grouped(deliveries, shapes)

    def _grouped(self, deliveries: Sequence[Delivery], shapes: Mapping[str, Shape]) -> Lanes:
        now_ms = round(self._clock.now().timestamp() * 1000)
        return lanes_for(deliveries, shapes, self._turns, self._settings.compression, now_ms)

    def _learn_from(self, lanes: Lanes) -> None:
        for parcel in all_parcels(lanes):
            if parcel.fate[1].code == BATCH_TOO_LARGE:
                self._directory.refused(parcel.topic, parcel.size)
