"""Marks rebuilt in Redis from the log: what is on the topics was acked, so its marks may stand (D5, I2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bridge.domain.delivery import MarkKey
from bridge.domain.plan import DeliveryMode, TriggerPlan
from bridge.domain.topic_record import TopicRecord
from bridge.ports import Ledger

MARKED_AT_ONCE = 1_024


class Repair:
    """Marks what at-least-once triggers have on the topics in their current generations, as far back as marks live.

    Repeating it, and doing it while the service runs, is harmless.
    """

    def __init__(
        self,
        plans: Sequence[TriggerPlan],
        generations: Mapping[str, int],
        ledger: Ledger,
        now: datetime,
        key_ttl_s: float,
    ) -> None:
        self._refs = {plan.ref.identity: plan.ref for plan in plans if plan.delivery is DeliveryMode.AT_LEAST_ONCE}
        self._names = {plan.ref.identity: str(plan.name) for plan in plans}
        self._generations = generations
        self._ledger = ledger
        self.since = now - timedelta(seconds=key_ttl_s)
        self._since_ms = round(self.since.timestamp() * 1000)
        self._waiting: defaultdict[str, list[MarkKey]] = defaultdict(list)
        self._marked: Counter[str] = Counter()

    @property
    def marked(self) -> Mapping[str, int]:
        """Marks written so far, by trigger."""
        return {self._names[identity]: self._marked[identity] for identity in self._refs}

    async def take(self, records: Iterable[TopicRecord]) -> None:
        """Mark those of them that a running bridge would have marked. Raises Retry without the ledger."""
        for record in records:
            if self._would_be_marked(record):
                self._waiting[record.trigger].append(record.mark)
        for identity, marks in self._waiting.items():
            if len(marks) >= MARKED_AT_ONCE:
                await self._write(identity, marks)

    async def finish(self) -> None:
        """Mark what is left."""
        for identity, marks in self._waiting.items():
            await self._write(identity, marks)

    def _would_be_marked(self, record: TopicRecord) -> bool:
        return (
            record.trigger in self._refs
            and record.generation == self._generations.get(record.trigger, 0)
            and record.written_ms >= self._since_ms
            and not record.is_transactional
        )

    async def _write(self, identity: str, marks: list[MarkKey]) -> None:
        for start in range(0, len(marks), MARKED_AT_ONCE):
            some = marks[start : start + MARKED_AT_ONCE]
            await self._ledger.mark(self._refs[identity], some)
            self._marked[identity] += len(some)
        marks.clear()
