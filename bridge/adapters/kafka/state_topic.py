"""The state store: the latest standing of each trigger, in a compacted topic (D18)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Self

from aiokafka.errors import InvalidReplicationFactorError

from bridge.adapters.kafka.admin import NewTopic, Topic, create_topic, describe_topics, in_sync_min, topic_configs
from bridge.adapters.kafka.client import Client, check_settings, connected
from bridge.adapters.kafka.failures import FOREIGN, failed, translated
from bridge.adapters.kafka.line import BATCH_BYTES_MAX
from bridge.adapters.kafka.lines import Lines
from bridge.adapters.kafka.parcel import Lane
from bridge.adapters.kafka.reader import read_all
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.state_format import StateRecord, is_of_standing, records_of, standings_of
from bridge.domain.delivery import Outcome
from bridge.domain.errors import Blocked, Retry
from bridge.domain.model import TriggerName
from bridge.domain.standing import Standing

PARTITION = 0
APPEAR_POLLS_MAX = 100
UNKNOWN_TOPIC_CODE = 3
CLEANUP = "cleanup.policy"
SINGLE_REPLICA = "single_replica"
UNCHECKED_TOPICS = "unchecked_topics"
# Small segments, cleaned early: what is superseded is not read at every start.
CONFIGS = {CLEANUP: "compact", "segment.bytes": str(16 * 1024 * 1024), "min.cleanable.dirty.ratio": "0.1"}


def state_topic(deployment: str) -> str:
    """The name of a deployment's state topic."""
    return f"bridge.{deployment}.state"


class KafkaStateStore:
    """One partition, read whole at `load`; `save` returns once every in-sync replica has it.

    Only what changed is written, a trigger's records in one batch. `accept` names the promises that need not hold:
    `single_replica` lets the topic be made with one copy where the cluster cannot hold more.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        deployment: str,
        *,
        accept: Collection[str] = (),
        on_abandoned: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._topic = state_topic(deployment)
        self._accept = frozenset(accept)
        self._lines = Lines(settings, on_abandoned)
        self._acked: dict[bytes, StateRecord] = {}
        self._is_checked = False
        self._checking = asyncio.Lock()

    async def __aenter__(self) -> Self:
        check_settings(self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._lines.close()

    async def load(self) -> Mapping[TriggerName, Standing]:
        """As the port says. Raises Blocked while the topic is not what it must be, Fatal for unreadable records."""
        await self._check()
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
        await self._check()
        changed = {record.key: record for record in records_of(name, standing) if not self._has(record)}
        if changed:
            await self._write(changed)
            self._acked.update(changed)

    def _has(self, record: StateRecord) -> bool:
        acked = self._acked.get(record.key)
        return acked is not None and acked.value == record.value

    async def _write(self, records: Mapping[bytes, StateRecord]) -> None:
        lane = Lane(self._topic, PARTITION, BATCH_BYTES_MAX, self._settings.compression)
        for index, record in enumerate(records.values()):
            if not lane.add(index, None, record.key, record.value or b"", ()):
                raise Blocked(f"the state of {record.key.decode()} is too large to be kept", code="state_too_large")
        deadline_s = asyncio.get_running_loop().time() + self._settings.publish_timeout_s
        try:
            async with asyncio.timeout_at(deadline_s) as preparing, self._lines.in_use() as line:
                if line.client.cluster.partitions_for_topic(self._topic) is None:
                    await line.client.track({self._topic})
                # From here on the deadline ends in a fate, not in an error.
                preparing.reschedule(None)
                await self._lines.deliver(line, [lane], deadline_s)
        except FOREIGN as error:
            raise translated(error, f"the state topic {self._topic} cannot be written") from error
        self._raise_unless_acked(lane, records)

    def _raise_unless_acked(self, lane: Lane, records: Mapping[bytes, StateRecord]) -> None:
        fates = [parcel.fate for parcel in lane.parcels]
        failure = next((failure for outcome, failure in fates if outcome is not Outcome.ACKED), None)
        if failure is None:
            return
        for key in records:
            # It may be there or not: whatever is saved next is written.
            self._acked.pop(key, None)
        self._is_checked = False
        kind = Blocked if failure.blocked else Retry
        raise kind(f"the state topic {self._topic} did not take a record: {failure.code}", code=failure.code)

    async def _check(self) -> None:
        """Find the topic as it must be, or make it (D16)."""
        async with self._checking:
            if self._is_checked:
                return
            timeout_s = self._settings.publish_timeout_s
            async with connected(self._settings, timeout_s, f"the state topic {self._topic}") as client:
                was_made = await self._find_or_make(client)
            if was_made and self._acked:
                # Somebody deleted it under us: what we know of it is all there is.
                known, self._acked = self._acked, {}
                await self._write(known)
                self._acked = known
            self._is_checked = True

    async def _find_or_make(self, client: Client) -> bool:
        """True when it had to be made."""
        topic = await self._described(client)
        if topic.error_code == UNKNOWN_TOPIC_CODE:
            await self._create(client)
            await self._appeared(client)
            return True
        if topic.error_code:
            raise failed(topic.error_code, f"the state topic {self._topic} cannot be looked up")
        await self._verify(client, topic.partitions)
        return False

    async def _described(self, client: Client) -> Topic:
        return (await describe_topics(client, [self._topic]))[self._topic]

    async def _appeared(self, client: Client) -> None:
        """A topic just made is known to every broker within a few round trips."""
        for _ in range(APPEAR_POLLS_MAX):
            if (await self._described(client)).is_led:
                return
        raise Retry(f"the state topic {self._topic} is being made", code="topic_unavailable")

    async def _create(self, client: Client) -> None:
        wanted = self._settings.topics.replication_factor
        try:
            await create_topic(client, self._new(wanted))
        except InvalidReplicationFactorError as error:
            if SINGLE_REPLICA not in self._accept:
                raise Blocked(
                    f"the state topic {self._topic} needs {wanted} brokers and the cluster has fewer: add brokers,"
                    f" lower kafka.topics.replication_factor, or accept one copy with `accept: [{SINGLE_REPLICA}]`",
                    code="too_few_brokers",
                ) from error
            await create_topic(client, self._new(1))

    def _new(self, replication_factor: int) -> NewTopic:
        configs = {**CONFIGS, "min.insync.replicas": in_sync_min(replication_factor)}
        return NewTopic(name=self._topic, partitions=1, replication_factor=replication_factor, configs=configs)

    async def _verify(self, client: Client, partitions: int) -> None:
        if partitions != 1:
            sentence = f"the state topic {self._topic} has {partitions} partitions, and order needs exactly one"
            raise Blocked(sentence, code="state_topic_partitions")
        policy = (await topic_configs(client, [self._topic], [CLEANUP])).get(self._topic, {}).get(CLEANUP)
        if policy is None and UNCHECKED_TOPICS not in self._accept:
            raise Blocked(
                f"the cleanup policy of the state topic {self._topic} may not be read: allow DescribeConfigs, or go on"
                f" unchecked with `accept: [{UNCHECKED_TOPICS}]`",
                code="state_topic_unchecked",
            )
        if policy is not None and policy != "compact":
            raise Blocked(
                f"the state topic {self._topic} has cleanup.policy={policy}, which forgets pauses and generations in"
                " time: set cleanup.policy=compact",
                code="state_topic_not_compacted",
            )
