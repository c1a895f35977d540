"""Few small records, durable before the call returns: how the bridge's own topics are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bridge.adapters.kafka.batch import PlainContent
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.line import BATCH_BYTES_MAX
from bridge.adapters.kafka.lines import Lines
from bridge.adapters.kafka.parcel import Lane
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_format import StateRecord
from bridge.domain.delivery import Outcome
from bridge.domain.errors import Blocked, Retry


class OwnWriter:
    """One idempotent producer; deadlines are outside of it (D14)."""

    def __init__(self, settings: KafkaSettings, on_abandoned: Callable[[str], None]) -> None:
        self._settings = settings
        self._lines = Lines(settings, on_abandoned)

    async def close(self) -> None:
        """Bounded."""
        await self._lines.close()

    async def write(self, topic: str, partition: int, records: Sequence[StateRecord]) -> Sequence[int]:
        """Their offsets (-1 where the broker forgot), once every in-sync replica has them.

        Raises Retry or Blocked: then they may be there or not.
        """
        lane = Lane(topic, partition, BATCH_BYTES_MAX, self._settings.compression)
        for index, record in enumerate(records):
            if not lane.add(index, None, PlainContent(record.key, record.value or b"")):
                raise Blocked(f"what is to be kept of {record.key.decode()} is too large", code="state_too_large")
        deadline_s = asyncio.get_running_loop().time() + self._settings.publish_timeout_s
        try:
            async with asyncio.timeout_at(deadline_s) as preparing, self._lines.in_use() as line:
                if line.client.cluster.partitions_for_topic(topic) is None:
                    await line.client.track(line.client.tracked | {topic})
                # From here on the deadline ends in a fate, not in an error.
                preparing.reschedule(None)
                await self._lines.deliver(line, [lane], deadline_s)
        except FOREIGN as error:
            raise translated(error, f"the topic {topic} cannot be written") from error
        _raise_unless_acked(lane)
        return [parcel.base_offset + place for parcel in lane.parcels for place in range(len(parcel.indexes))]


def _raise_unless_acked(lane: Lane) -> None:
    fates = [parcel.fate for parcel in lane.parcels]
    failure = next((failure for outcome, failure in fates if outcome is not Outcome.ACKED), None)
    if failure is not None:
        kind = Blocked if failure.blocked else Retry
        raise kind(f"the topic {lane.topic} did not take a record: {failure.code}", code=failure.code)
