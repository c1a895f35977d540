"""A redrive that sends nothing anywhere: what would become of each dead letter is scripted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bridge.domain.plan import TriggerPlan
from bridge.domain.redrive import Fate, Redriven, RedriveReport, RedriveWish


@dataclass
class FakeRedrive:
    """`wishes` are those that were asked for, in order."""

    fates: tuple[Redriven, ...] = ()
    wishes: list[RedriveWish] = field(default_factory=list)

    async def redrive(
        self, plan: TriggerPlan, wish: RedriveWish, told: Callable[[int, int], None] = lambda _done, _all: None
    ) -> RedriveReport:
        self.wishes.append(wish)
        items = tuple(
            replace(item, fate=Fate.WOULD_REDRIVE) if wish.dry_run and item.fate is Fate.REDRIVEN else item
            for item in self.fates[: wish.limit]
        )
        return RedriveReport(trigger=plan.name, items=items, is_whole=len(items) == len(self.fates))
