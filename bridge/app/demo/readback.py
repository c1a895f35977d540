"""Reads the topics as any consumer would: what landed is counted here, not asked of the bridge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.app.demo.failures import DemoFailed, said
from bridge.app.demo.verdict import Seen

START_TIMEOUT_S = 30.0
DRAIN_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
FETCH_WAIT_MS = 200
RECORDS_A_POLL = 2000
SUBJECT_CHARS = 64
DEAD_TYPE = b"com.reinfer.trigger.dead.v1"


class _Text(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    subject: _Text = msgspec.field(default_factory=_Text)
    body: _Text = msgspec.field(default_factory=_Text)


class _Comment(msgspec.Struct):
    uid: str | None = None
    messages: list[_Message] = []


class _Label(msgspec.Struct):
    name: list[str] = []
    probability: float = 0.0


class _Matched(msgspec.Struct):
    label: list[str]
    probability: float
    min: float


class _Route(msgspec.Struct):
    name: str
    matched: list[_Matched] = []


class _Record(msgspec.Struct):
    """What the demo reads of a record (design section 6)."""

    sequence_id: str
    generation: int
    route: _Route
    comment: _Comment = msgspec.field(default_factory=_Comment)
    labels: list[_Label] = []


class Readback:
    """A consumer without a group, over all partitions of the topics, from where they end when it starts."""

    def __init__(self, bootstrap_servers: str, topics: Mapping[str, int]) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            # a replay of everything must not look like a quiet topic
            auto_offset_reset="none",
        )
        self._partitions = [TopicPartition(topic, number) for topic, count in topics.items() for number in range(count)]

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._consumer.start()
                await self._stand_at_the_end()
        except (KafkaError, TimeoutError) as error:
            await self._stop()
            raise DemoFailed(f"the topics cannot be read: {said(error)}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        """In a task of its own: the cancel of inner tasks, which aiokafka lets out of `stop`, would look like ours."""
        stopping = asyncio.create_task(self._consumer.stop(), name="stop the reader")
        _, late = await asyncio.wait([stopping], timeout=STOP_TIMEOUT_S)
        for task in late:
            task.cancel()
        await asyncio.gather(stopping, return_exceptions=True)

    async def _stand_at_the_end(self) -> None:
        """What an earlier run left on a given broker is not counted."""
        self._consumer.assign(self._partitions)
        for partition, offset in (await self._consumer.end_offsets(self._partitions)).items():
            self._consumer.seek(partition, offset)

    async def poll(self, wait_s: float) -> list[Seen]:
        """What has come since, after this long at most."""
        fetched = await self._consumer.getmany(timeout_ms=int(wait_s * 1000), max_records=RECORDS_A_POLL)
        return [_seen(record) for records in fetched.values() for record in records]

    async def drain(self) -> list[Seen]:
        """Everything up to where the topics end now. Raises DemoFailed when that takes too long."""
        found: list[Seen] = []
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                ends = await self._consumer.end_offsets(self._partitions)
                while await self._behind(ends):
                    found += await self.poll(FETCH_WAIT_MS / 1000)
        except (KafkaError, TimeoutError) as error:
            raise DemoFailed(f"the topics could not be read to their ends: {said(error)}") from error
        return found

    async def _behind(self, ends: dict[TopicPartition, int]) -> bool:
        return any([await self._consumer.position(partition) < end for partition, end in ends.items()])


def _seen(record: Any) -> Seen:
    headers = dict(record.headers)
    dead = headers.get("ce_type") == DEAD_TYPE
    try:
        value = msgspec.json.decode(record.value, type=_Record)
    except msgspec.DecodeError:
        # no record of ours: it fits no place, and so counts as stray
        value = _Record(sequence_id="", generation=0, route=_Route(name="(unreadable)"))
    return Seen(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        sequence_id=value.sequence_id,
        route=value.route.name,
        generation=value.generation,
        dead=dead,
        error=headers.get("bridge_error", b"").decode("utf-8", "replace"),
        meant_for=headers.get("bridge_original_topic", b"").decode("utf-8", "replace"),
        subject=_one_line(value.comment),
        why=tuple((" > ".join(each.label), each.probability, each.min) for each in value.route.matched),
        labels=tuple((" > ".join(label.name), label.probability) for label in value.labels[:3]),
    )


def _one_line(comment: _Comment) -> str:
    """The subject, or the beginning of the body, on one line; where there is neither, which comment it is."""
    texts = [text for each in comment.messages[:1] for text in (each.subject.text, each.body.text)]
    first = next(filter(str.strip, [*texts, f"comment {comment.uid}" if comment.uid else ""]), "")
    line = " ".join(first.split())
    return line if len(line) <= SUBJECT_CHARS else f"{line[: SUBJECT_CHARS - 1]}…"
