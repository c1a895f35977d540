"""The state store: the latest standing of each trigger, in a compacted topic (D18)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Self

from bridge.adapters.kafka.admin import end_offset
from bridge.adapters.kafka.client import Client, check_settings
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.own_topic import (
    CLEANUP,
    SINGLE_REPLICA,
    UNCHECKED_TOPICS,
    UNKNOWN_TOPIC_CODE,
    OwnTopic,
    OwnTopicCheck,
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
        own = OwnTopic(
            name=state_topic(deployment),
            title="state topic",
            partitions=1,
            why_partitions="order needs exactly one",
            configs=CONFIGS,
            why_policy="which forgets pauses and generations in time",
        )
        self._topic = own.name
        self._check = OwnTopicCheck(settings, own, frozenset(accept), self._restore)
        self._writer = OwnWriter(settings, on_abandoned)
        self._name = writer
        self._acked: dict[bytes, StateRecord] = {}
        self._is_another = False

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
            self._check.doubt()
            raise translated(error, f"the state topic {self._topic} cannot be read") from error
        self._acked = _latest(everything)
        return standings_of(self._acked.values())

    async def save(self, name: TriggerName, standing: Standing) -> None:
        """As the port says; raises Blocked like `load`."""
        await self.check()
        changed = {record.key: record for record in records_of(name, standing, self._name) if not self._has(record)}
        if changed:
            await self._write(changed)
            await self.check()

    def learn(self, record: StateRecord) -> None:
        """What stands on the topic now, whoever wrote it: a later `save` compares with it."""
        known = self._acked.get(record.key)
        if known is None or record.offset > known.offset:
            self._acked[record.key] = record

    def made_anew(self) -> None:
        """Another topic of that name stands there: what is known says nothing of what it has."""
        self._is_another = True
        self._check.doubt()

    def _has(self, record: StateRecord) -> bool:
        acked = self._acked.get(record.key)
        return acked is not None and acked.value == record.value

    async def _write(self, records: Mapping[bytes, StateRecord]) -> None:
        before = self._last_offset
        try:
            offsets = await self._writer.write(self._topic, PARTITION, list(records.values()))
        except BaseException:  # also where it is cut off
            for key in records:
                # It may be there or not: whatever is saved next is written.
                self._acked.pop(key, None)
            self._check.doubt()
            raise
        if any(0 <= offset <= before for offset in offsets):
            self.made_anew()
            return
        for record, offset in zip(records.values(), offsets, strict=True):
            if offset < 0:
                self._acked.pop(record.key, None)
            self.learn(replace(record, offset=offset))

    @property
    def _last_offset(self) -> int:
        return max((record.offset for record in self._acked.values()), default=-1)

    async def check(self, *, anew: bool = False) -> None:
        """Find the topic as it must be, or make it (D16). `anew`: it may have changed since it was looked at."""
        await self._check.check(anew=anew)

    async def _restore(self, client: Client) -> None:
        """One that was deleted under us, whoever made it again: what nobody has written since is known here alone."""
        known = self._acked
        if not known:
            return
        await client.track({self._topic})
        if not self._is_another and await end_offset(client, self._topic, PARTITION) > self._last_offset:
            return
        self._acked = _latest(await read_all(self._settings, self._topic, PARTITION))
        self._is_another = False
        try:
            if missing := {key: record for key, record in known.items() if key not in self._acked}:
                await self._write(missing)
        except BaseException:
            self._acked, self._is_another = known, True
            raise


def _latest(records: Iterable[StateRecord]) -> dict[bytes, StateRecord]:
    return {record.key: record for record in records if is_of_standing(record)}
