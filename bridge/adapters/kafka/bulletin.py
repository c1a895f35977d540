"""The bulletin: a live tail of the state topic and of the status topic, in every replica (D19)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Self

from aiokafka import TopicPartition

from bridge.adapters.kafka.admin import end_offset
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.own_topic import CLEANUP, OwnTopic, OwnTopicCheck
from bridge.adapters.kafka.own_writer import OwnWriter
from bridge.adapters.kafka.reader import Reader, reader_of, record_of
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_format import StateRecord, is_of_standing, joined, name_of, writer_of
from bridge.adapters.kafka.state_topic import PARTITION, KafkaStateStore, state_topic
from bridge.adapters.kafka.status_format import counts_in, counts_record, is_of_counts, report_of, status_record
from bridge.domain.counts import Counts
from bridge.domain.errors import BridgeError, Retry
from bridge.domain.model import TriggerName
from bridge.domain.standing import Standing
from bridge.domain.status import Report
from bridge.ports import Clock

POLL_MS = 200
REOPEN_S = 0.5
# Reports are worth nothing after a minute: what is superseded or old is thrown away early.
STATUS_CONFIGS = {
    CLEANUP: "compact,delete",
    "retention.ms": str(3_600_000),
    "segment.bytes": str(4 * 1024 * 1024),
    "segment.ms": str(600_000),
}


def status_topic(deployment: str) -> str:
    """The name of a deployment's status topic."""
    return f"bridge.{deployment}.status"


def own_status_topic(deployment: str) -> OwnTopic:
    """As it must be."""
    return OwnTopic(
        name=status_topic(deployment),
        title="status topic",
        partitions=1,
        why_partitions="one is enough",
        configs=STATUS_CONFIGS,
        why_policy="which keeps what is worth nothing",
    )


class KafkaBulletin:
    """Reads on, uncommitted, so that other triggers' open transactions hide no wish; begins anew where it is cut off.

    The store is taught what others write. `writer` is this process's own name in what it writes.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        deployment: str,
        store: KafkaStateStore,
        clock: Clock,
        *,
        writer: str,
        accept: Collection[str] = (),
        on_abandoned: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._own_name = writer
        self._state = TopicPartition(state_topic(deployment), PARTITION)
        self._status = TopicPartition(status_topic(deployment), PARTITION)
        self._status_check = OwnTopicCheck(settings, own_status_topic(deployment), frozenset(accept))
        self._writer = OwnWriter(settings, on_abandoned)
        self._standings: dict[TriggerName, Standing] = {}
        self._reports: dict[TriggerName, Report] = {}
        self._counts: dict[TriggerName, StateRecord] = {}
        self._overwritten: set[TriggerName] = set()
        self._seen_offset = -1
        self._seen_ms = 0
        self._changed = asyncio.Event()
        self._moved = asyncio.Condition()
        self._reader: Reader | None = None
        self._position = 0
        self._trouble: BridgeError = Retry("the state topic is not read yet", code="starting")
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow(), name="bulletin")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._writer.close()

    async def catch_up(self) -> None:
        """As the port says, within `publish_timeout_s`."""
        try:
            async with asyncio.timeout(self._settings.publish_timeout_s):
                reader = await self._reading()
                end = await end_offset(reader.client, self._state.topic, PARTITION)
                # One that was opened meanwhile began at the beginning.
                async with self._moved:
                    await self._moved.wait_for(lambda: self._reader is not None and self._position >= end)
        except FOREIGN as error:
            if isinstance(error, TimeoutError):
                raise self._trouble from error
            raise translated(error, f"the end of the topic {self._state.topic} is not known") from error

    def standing(self, name: TriggerName) -> Standing:
        """As the port says."""
        return self._standings.get(name, Standing())

    def report(self, name: TriggerName) -> Report | None:
        """As the port says."""
        return self._reports.get(name)

    def counts(self, name: TriggerName) -> Counts | None:
        """As the port says; read out when it is asked for, which is seldom."""
        found = self._counts.get(name)
        return counts_in(found) if found else None

    def changed(self) -> asyncio.Event:
        """As the port says."""
        return self._changed

    def overwritten(self) -> Collection[TriggerName]:
        """As the port says."""
        found, self._overwritten = self._overwritten, set()
        return found

    async def post(self, reports: Sequence[Report], counts: Sequence[Counts] = ()) -> None:
        """As the port says."""
        records = [*map(status_record, reports), *map(counts_record, counts)]
        await self._writer.write(self._status.topic, PARTITION, records)

    async def _reading(self) -> Reader:
        async with self._moved:
            await self._moved.wait_for(lambda: self._reader is not None)
        if self._reader is None:
            raise self._trouble
        return self._reader

    async def _follow(self) -> None:
        while True:
            try:
                await self._find_topics()
                async with reader_of(self._settings, "read_uncommitted") as reader:
                    await self._read_on(reader)
            except BridgeError as error:
                self._trouble = error
            except FOREIGN as error:
                self._trouble = translated(error, f"the topic {self._state.topic} cannot be read")
            except Exception as defect:  # noqa: BLE001 - the task would die silently, and every view be old for ever
                self._trouble = Retry(
                    f"the topic {self._state.topic} cannot be read: {type(defect).__name__}", code="internal"
                )
            finally:
                self._reader = None
            await self._clock.sleep(REOPEN_S)

    async def _find_topics(self) -> None:
        await self._store.check(anew=True)
        await self._status_check.check(anew=True)

    async def _read_on(self, reader: Reader) -> None:
        await reader.know(self._state.topic, self._status.topic)
        reader.assign([self._state, self._status])
        if await end_offset(reader.client, self._state.topic, PARTITION) <= self._seen_offset:
            self._forget()
        self._reader = reader
        await self._move_to(0)
        while True:
            batches = await reader.getmany(timeout_ms=POLL_MS)
            for message in batches.get(self._status, ()):
                self._note_report(record_of(message))
            for message in batches.get(self._state, ()):
                if message.key:
                    self._note(record_of(message))
            await self._move_to(await self._reached(reader))
            if batches:
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()

    async def _reached(self, reader: Reader) -> int:
        """Raises Retry where the topic has gone from under the reader, or been made anew."""
        if reader.client.cluster.partitions_for_topic(self._state.topic) is None:
            raise Retry(f"the topic {self._state.topic} is gone", code="topic_unavailable")
        position: int = await reader.position(self._state)
        if position < self._position:
            raise self._made_anew()
        return position

    async def _move_to(self, position: int) -> None:
        async with self._moved:
            self._position = position
            self._moved.notify_all()

    def _note(self, record: StateRecord) -> None:
        if not is_of_standing(record) or record.value is None:
            return
        if record.offset <= self._seen_offset:
            if record.at_ms > self._seen_ms:
                raise self._made_anew()
            # What is read again after an outage is no news, and older than what is known.
            return
        name = name_of(record)
        self._standings[name] = joined(self._standings.get(name, Standing()), record)
        self._store.learn(record)
        self._seen_offset = record.offset
        self._seen_ms = max(self._seen_ms, record.at_ms)
        if writer_of(record) != self._own_name:
            self._overwritten.add(name)

    def _made_anew(self) -> Retry:
        """To be read from its beginning, once the store has written what it lacks."""
        self._forget()
        return Retry(f"the topic {self._state.topic} was made anew", code="topic_made_anew")

    def _forget(self) -> None:
        """Another topic of that name: what was seen says nothing about it."""
        self._seen_offset = -1
        self._store.made_anew()

    def _note_report(self, record: StateRecord) -> None:
        if record.key and is_of_counts(record):
            self._counts[name_of(record)] = record
            return
        report = report_of(record) if record.key else None
        if report is not None:
            self._reports[report.status.name] = report
