"""The control topic: the commands of a deployment, keyed by trigger, kept by time as history (D2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Self

from bridge.adapters.kafka.client import check_settings
from bridge.adapters.kafka.control_format import UnknownCommandError, command_of, command_record
from bridge.adapters.kafka.failures import FOREIGN, translated
from bridge.adapters.kafka.own_topic import CLEANUP, OwnTopic, OwnTopicCheck
from bridge.adapters.kafka.own_writer import OwnWriter
from bridge.adapters.kafka.packing import partition_of
from bridge.adapters.kafka.reader import read_all
from bridge.adapters.kafka.settings import GroupSettings, KafkaSettings
from bridge.adapters.kafka.state_format import StateRecord
from bridge.domain.commands import Command
from bridge.domain.model import TriggerName
from bridge.domain.standing import Place

KEPT_MS = 7 * 24 * 3_600_000
# The broker's own times: a topic that was made anew is told by them from the one it replaced.
CONFIGS = {CLEANUP: "delete", "retention.ms": str(KEPT_MS), "message.timestamp.type": "LogAppendTime"}


def control_topic(deployment: str) -> str:
    """The name of a deployment's control topic."""
    return f"bridge.{deployment}.control"


def own_control_topic(deployment: str, group: GroupSettings) -> OwnTopic:
    """As it must be. Its partitions are the shares of the work: all replicas must count them alike (I6)."""
    return OwnTopic(
        name=control_topic(deployment),
        title="control topic",
        partitions=group.partitions,
        why_partitions=(
            f"the configuration says group.partitions: {group.partitions}: triggers are shared by that number, so write"
            " it as it is, for all replicas at once"
        ),
        configs=CONFIGS,
        why_policy="which keeps only a trigger's last command",
    )


class KafkaControl:
    """Written by any replica, read by the owners through their group, and here as history."""

    def __init__(
        self,
        settings: KafkaSettings,
        deployment: str,
        *,
        accept: Collection[str] = (),
        on_abandoned: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._own = own_control_topic(deployment, settings.group)
        self._check = OwnTopicCheck(settings, self._own, frozenset(accept))
        self._writer = OwnWriter(settings, on_abandoned)

    async def __aenter__(self) -> Self:
        check_settings(self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._writer.close()

    def partition_of(self, name: TriggerName) -> int:
        """Where a trigger's commands stand, and with which its ownership goes."""
        return partition_of(name.encode(), self._own.partitions)

    async def append(self, command: Command) -> int:
        """As the port says."""
        await self.check()
        partition = self.partition_of(command.trigger)
        (offset,) = await self._writer.write(self._own.name, partition, [command_record(command)])
        return offset

    async def history(self, name: TriggerName, last: int) -> Sequence[tuple[Place, Command]]:
        """As the port says. Commands of later releases are not in it."""
        await self.check()
        try:
            async with asyncio.timeout(self._settings.publish_timeout_s):
                records = await read_all(self._settings, self._own.name, self.partition_of(name))
        except FOREIGN as error:
            raise translated(error, f"the control topic {self._own.name} cannot be read") from error
        return list(_commands(record for record in records if record.key == name.encode()))[-last:]

    async def check(self, *, anew: bool = False) -> None:
        """Find the topic as it must be, or make it (D16). `anew`: it may have changed since it was looked at."""
        await self._check.check(anew=anew)


def _commands(records: Iterator[StateRecord]) -> Iterator[tuple[Place, Command]]:
    for record in records:
        try:
            yield Place(offset=record.offset, at_ms=record.at_ms), command_of(record.value)
        except UnknownCommandError:
            continue
