"""Records as they are read back from topics, briefly."""

from __future__ import annotations

from bridge.domain.delivery import mark_key
from bridge.domain.model import Generation, SequenceId
from bridge.domain.topic_record import Place, TopicRecord, Writer
from tests.fakes.plans import REF

FIRST, SECOND = Writer(7, 0), Writer(7, 1)


def a_record(
    number: int,
    offset: int | None = None,
    *,
    topic: str = "rpa.urgent",
    partition: int = 0,
    generation: int = 0,
    key: bytes | None = b"thread-1",
    created: int | None = None,
    route: str = "urgent",
    writer: Writer = FIRST,
    transactional: bool = False,
    dead: str = "",
    redriven_from: str = "",
    written_ms: int = 1_750_000_000_000,
    identity: str = REF.identity,
) -> TopicRecord:
    """The record of that number, uploaded in that second, at the offset of its number unless told otherwise."""
    mark = mark_key(identity, Generation(generation), SequenceId(f"seq-{number}"), route)
    second = number if created is None else created
    return TopicRecord(
        place=Place(topic, partition, number if offset is None else offset),
        written_ms=written_ms,
        key=key,
        mark=mark,
        trigger=identity,
        generation=generation,
        route=route,
        uid=f"uid-{number}",
        created_at=f"2020-06-01T13:{second // 60:02}:{second % 60:02}.000Z",
        is_dead=bool(dead),
        dead_reason=dead,
        meant_for="",
        redriven_from=redriven_from,
        writer=writer,
        is_transactional=transactional,
        value=b"",
    )
