"""The state store: the latest standing of each trigger, in a compacted topic (D18)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Self

from bridge.adapters.kafka.client import check_settings, connected
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.own_topic import (
    CLEANUP,
    SINGLE_REPLICA,
    UNCHECKED_TOPICS,
    UNKNOWN_TOPIC_CODE,
    OwnTopic,
    find_or_make,
)
from bridge.adapters.kafka.own_writer import OwnWriter
from bridge.adapters.kafka.reader import read_all
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_format import StateRecord, is_of_standing, records_of, standings_of
from bridge.domain.model import TriggerName
from bridge.domain.standing import Standing

__all__ = ["CLEANUP", "PARTITION", "SINGLE_REPLICA", "UNCHECKED_TOPICS", "UNKNOWN_TOPIC_CODE", "KafkaStateStore"]

PARTITION = 0
# Small segments, cleaned early: what is superseded is not read at every start.
CONFIGS = {CLEANUP: "compact", "segment.bytes": str(16 * 1024 * 1024), "min.cleanable.dirty.ratio": "0.1"}


def state_topic(deployment: str) -> str:
    """The name of a deployment's state topic."""
    return f"bridge.{deployment}.state"


class KafkaStateStore:
    """One partition, read whole at `load`; `save` returns once every in-sync replica has it.

    Only what changed is written, a trigger's records in one batch. `accept` names the promises that need not hold:
    `single_replica` lets the topic be made with one copy where the cluster cannot hold more. `writer` names this
    process in what it writes, so that another one can tell; what others write is learnt from the bulletin.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        deployment: str,
        *,
        accept: Collection[str] = (),
        on_abandoned: Callable[[str], None] = lambda _: None,
        writer: str = "",
    ) -> None:
        self._settings = settings
        self._own = OwnTopic(
            name=state_topic(deployment),
            title="state topic",
            partitions=1,
            why_partitions="order needs exactly one",
            configs=CONFIGS,
            why_policy="which forgets pauses and generations in time",
        )
        self._topic = self._own.name
        self._accept = frozenset(accept)
        self._writer = OwnWriter(settings, on_abandoned)
        self._name = writer
        self._acked: dict[bytes, StateRecord] = {}
        self._is_checked = False
        self._checking = asyncio.Lock()

    async def __aenter__(self) -> Self:
        check_settings(self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._writer.close()

    async def load(self) -> Mapping[TriggerName, Standing]:
        """As the port says. Raises Blocked while the topic is not what it must be, Fatal for unreadable records."""
        await self.check()
        try:
            async with asyncio.timeout(self._settings.publish_timeout_s):
                everything = await read_all(self._settings, self._topic, PARTITION)
        except FOREIGN as error:
            self._is_checked = False
            raise translated(error, f"the state topic {self._topic} cannot be read") from error
        records = [record for record in everything if is_of_standing(record)]
        self._acked = {record.key: record for record in records}
        return standings_of(records)

    async def save(self, name: TriggerName, standing: Standing) -> None:
        """As the port says; raises Blocked like `load`."""
        await self.check()
        changed = {record.key: record for record in records_of(name, standing, self._name) if not self._has(record)}
        if changed:
            await self._write(changed)

    def learn(self, record: StateRecord) -> None:
        """What stands on the topic now, whoever wrote it: a later `save` compares with it."""
        known = self._acked.get(record.key)
        if known is None or record.offset > known.offset:
            self._acked[record.key] = record

    def _has(self, record: StateRecord) -> bool:
        acked = self._acked.get(record.key)
        return acked is not None and acked.value == record.value

    async def _write(self, records: Mapping[bytes, StateRecord]) -> None:
        try:
            offsets = await self._writer.write(self._topic, PARTITION, list(records.values()))
        except BaseException:  # also where it is cut off
            for key in records:
                # It may be there or not: whatever is saved next is written.
                self._acked.pop(key, None)
            self._is_checked = False
            raise
        for record, offset in zip(records.values(), offsets, strict=True):
            if offset < 0:
                self._acked.pop(record.key, None)
            self.learn(replace(record, offset=offset))

    async def check(self) -> None:
        """Find the topic as it must be, or make it (D16)."""
        async with self._checking:
            if self._is_checked:
                return
            timeout_s = self._settings.publish_timeout_s
            async with connected(self._settings, timeout_s, f"the state topic {self._topic}") as client:
                was_made = await find_or_make(client, self._own, self._settings.topics, self._accept)
            if was_made and self._acked:
                # Somebody deleted it under us: what we know of it is all there is.
                known, self._acked = self._acked, {}
                await self._write(known)
            self._is_checked = True
