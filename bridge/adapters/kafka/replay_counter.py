"""Counts on the topics what a replay would bring again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from bridge.adapters.kafka.scan import READ_COMMITTED, Scanner, Stretch, scanning
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.errors import Retry
from bridge.domain.plan import TriggerPlan
from bridge.domain.replay_count import COUNTED_RECORDS_MAX, Count, ReplayCount
from bridge.ports import Clock

COUNT_TIMEOUT_S = 15.0


class KafkaReplayCounter:
    """One count at a time, on a connection of its own."""

    def __init__(self, settings: KafkaSettings, clock: Clock, *, timeout_s: float = COUNT_TIMEOUT_S) -> None:
        self._settings = settings
        self._clock = clock
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()

    async def count(self, plan: TriggerPlan, since: datetime, until: datetime | None) -> ReplayCount:
        """As the port says. No record of a comment was written before its upload, so reading begins there."""
        counted = Count(trigger=plan.ref.identity, since=since, until=until)
        try:
            async with asyncio.timeout(self._timeout_s), self._turn, scanning(self._settings, self._clock) as scanner:
                stretches = await scanner.stretches(plan.topics, since=since, isolation=READ_COMMITTED)
                there = sum(stretch.length for stretch in stretches)
                for stretch in stretches:
                    await _count(scanner, stretch, counted, there)
                kept_since = await _kept_since(scanner, stretches)
        except TimeoutError as error:
            raise Retry(f"counting took longer than {self._timeout_s:.0f} s", code="timeout") from error
        return counted.result(there, kept_since)


async def _count(scanner: Scanner, stretch: Stretch, counted: Count, there: int) -> None:
    """Where there is too much, an equal share of each partition from its beginning."""
    wanted = stretch.length if there <= COUNTED_RECORDS_MAX else stretch.length * COUNTED_RECORDS_MAX // there
    read_before = counted.read
    if not wanted:
        return
    async for records in scanner.records(stretch):
        counted.add(records)
        if counted.read - read_before >= wanted:
            return


async def _kept_since(scanner: Scanner, stretches: list[Stretch]) -> datetime | None:
    """Set where a partition that has lost its beginning starts within what was asked for."""
    oldest: datetime | None = None
    for stretch in stretches:
        if stretch.length and 0 < stretch.log_start == stretch.start:
            async for records in scanner.records(stretch):
                if records:
                    at = datetime.fromtimestamp(records[0].written_ms / 1000, UTC)
                    oldest = at if oldest is None else max(oldest, at)
                    break
    return oldest
