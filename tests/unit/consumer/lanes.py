"""Partitions as bridge fills them: in the trigger's order, with repeats, late copies and generations."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.consumer import Record, parse

SOURCE = "/org1/collateral/triggers/dispute"


def a_record(
    record_id: str,
    offset: int,
    generation: int = 0,
    *,
    topic: str = "t",
    partition: int = 0,
    source: str = SOURCE,
    redriven_from: str = "",
) -> Record:
    return parse(
        topic=topic,
        partition=partition,
        offset=offset,
        key=b"k",
        value=b"{}",
        headers=(
            ("ce_id", record_id.encode()),
            ("ce_type", b"com.reinfer.trigger.result.v1"),
            ("ce_source", source.encode()),
            ("ce_generation", b"%d" % generation),
            ("ce_route", b"urgent"),
            ("ce_subject", record_id.encode()),
            *((("bridge_redriven_from", redriven_from.encode()),) if redriven_from else ()),
        ),
    )


@dataclass
class Partition:
    """Appends records; an offset is a place in the list."""

    number: int
    topic: str = "t"
    records: list[Record] = field(default_factory=list)

    def append(self, record_id: str, generation: int, source: str = SOURCE) -> None:
        at = len(self.records)
        self.records.append(a_record(record_id, at, generation, topic=self.topic, partition=self.number, source=source))
