"""The state topic as evidence: what every transaction promised, by whom, and the generations in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.adapters.kafka.fetched import LogBatch
from bridge.adapters.kafka.scan import Scanner
from bridge.adapters.kafka.state_format import (
    StateRecord,
    is_of_position,
    is_of_standing,
    position_in,
    standings_of,
)
from bridge.domain.errors import Blocked
from bridge.domain.model import TriggerName
from bridge.domain.standing import Standing
from bridge.domain.tenures import Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the state topic still holds; promises in the order of the log."""

    promises: Sequence[Promise] = ()
    standings: Mapping[TriggerName, Standing]


async def evidence(scanner: Scanner, topic: str) -> Evidence:
    """As it is now; a topic that was never made holds nothing. Raises Fatal for records that cannot be read."""
    try:
        stretches = await scanner.stretches([topic])
    except Blocked as error:
        if error.code != "topic_missing":
            raise
        return Evidence(standings={})
    promises: list[Promise] = []
    standing: dict[bytes, StateRecord] = {}
    for stretch in stretches:
        async for batch in scanner.batches(stretch):
            _read(batch, promises, standing)
    return Evidence(promises=promises, standings=standings_of(standing.values()))


def _read(batch: LogBatch, promises: list[Promise], standing: dict[bytes, StateRecord]) -> None:
    for each in batch.records:
        record = StateRecord(key=each.key or b"", value=each.value, offset=each.offset)
        if is_of_standing(record):
            standing[record.key] = record
        elif is_of_position(record) and (position := position_in(record)) is not None:
            # Compaction takes records out of a batch and leaves the others their offsets.
            nth = batch.base_sequence + each.offset - batch.base_offset
            promises.append(Promise(position=position, writer=batch.writer, nth=nth, written_ms=each.timestamp))
