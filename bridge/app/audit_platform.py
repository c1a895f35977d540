"""The audit's questions to the platform: before the topics are read where the triggers stand, after it what there is.

In that order: what a trigger was advanced past was acked before, and so is on the topics when these are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from bridge.adapters.kafka.scan import Stretch
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.inventory import Ahead, Inventory
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.triggers import PinnedModel, Trigger
from bridge.adapters.platform.workspace import Workspace
from bridge.domain.owed import MARGIN, Carried, Owing, Passed, PlatformFound, Stored, skipped_before
from bridge.domain.plan import TriggerPlan
from bridge.domain.standing import Standing
from bridge.ports import Clock

Told = Callable[[int, int], None]


class Uploaded(Protocol):
    """Of which comments it is asked."""

    @property
    def since(self) -> datetime | None: ...
    @property
    def until(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read of the topics. `first_ms` is the time of the first record of a partition, where it has one;
    `unread` are topics that are missing, or hidden in part."""

    carried: Carried
    stretches: Sequence[Stretch]
    first_ms: Mapping[tuple[str, int], int]
    unread: Collection[str]

    def kept_since(self, plan: TriggerPlan) -> datetime | None:
        """Since when no record of a trigger is gone from its topics; None where that cannot be said of any time."""
        kept = datetime.fromtimestamp(0, UTC)
        if plan.topics.intersection(self.unread):
            return None
        for each in self.stretches:
            if each.topic not in plan.topics or not 0 < each.log_start == each.start:
                continue
            first_ms = self.first_ms.get((each.topic, each.partition))
            if first_ms is None:
                return None
            kept = max(kept, datetime.fromtimestamp(first_ms / 1000, UTC) + MARGIN)
        return kept


class Asking:
    """The platform, asked for the triggers of an audit."""

    def __init__(self, inventory: Inventory, plans: Sequence[TriggerPlan], clock: Clock) -> None:
        self._inventory = inventory
        self._plans = plans
        self._clock = clock
        self._triggers: dict[str, Trigger] = {}
        self._ahead: dict[str, Ahead] = {}
        self._before: dict[str, datetime | None] = {}

    async def look(self, standings: Mapping[Any, Standing]) -> None:
        """To be called before the topics are read. Raises Blocked for a trigger that is not there."""
        for plan in self._plans:
            identity = plan.ref.identity
            self._triggers[identity] = await self._inventory.trigger(plan.ref)
            asked_at = self._clock.now()
            ahead = self._ahead[identity] = await self._inventory.ahead(plan.ref)
            reached = standings.get(plan.name, Standing()).reached
            known = (
                ahead.next_at,
                asked_at - MARGIN if ahead.is_all_passed else None,
                reached.high if reached and reached.trigger == identity else None,
            )
            self._before[identity] = max(filter(None, known), default=None)

    async def findings(
        self, reading: Reading, standings: Mapping[Any, Standing], wish: Uploaded, told: Told
    ) -> Mapping[str, PlatformFound]:
        """By identity, after the topics were read; `told` hears of the comments."""
        reading.carried.seal()
        by_dataset: defaultdict[tuple[str, str], list[tuple[TriggerPlan, Owing]]] = defaultdict(list)
        for plan in self._plans:
            passed = self._passed(plan, reading, standings.get(plan.name, Standing()))
            owing = Owing(plan, reading.carried, passed, wish.since, wish.until)
            by_dataset[plan.ref.project, plan.ref.dataset].append((plan, owing))
        done = 0
        for (project, dataset), owings in by_dataset.items():
            sources, unseen = await self._inventory.sources(project, dataset)
            whole = done + sum(sources.values())
            for source in sources:
                async for page in self._inventory.pages(source):
                    for plan, owing in owings:
                        await self._hold(plan, owing, page)
                    done += len(page)
                    told(done, max(done, whole))
            for _, owing in owings:
                owing.found.sources_unseen = unseen
        return {plan.ref.identity: owing.judged() for owings in by_dataset.values() for plan, owing in owings}

    def _passed(self, plan: TriggerPlan, reading: Reading, standing: Standing) -> Passed:
        identity = plan.ref.identity
        trigger = self._triggers[identity]
        return Passed(
            before=self._before[identity],
            kept_since=reading.kept_since(plan),
            skipped_before=skipped_before(standing),
            oldest=reading.carried.oldest.get(identity),
            made_at=trigger.created_at,
            changed_at=trigger.updated_at,
            shows_filter=self._ahead[identity].is_of_today or trigger.comment_filter is not None,
            comment_filter=trigger.comment_filter,
        )

    async def _hold(self, plan: TriggerPlan, owing: Owing, page: Sequence[Mapping[str, Any]]) -> None:
        """One page of comments against one trigger."""
        missing = frozenset(owing.missing(map(_stored, page)))
        if not owing.wants_predictions:
            for uid in sorted(missing):
                owing.lose(uid)
        elif missing:
            model: PinnedModel | None = self._triggers[plan.ref.identity].model
            comments = [each for each in page if each.get("uid") in missing]
            results = await self._inventory.results(plan.ref, model, comments)
            for uid in sorted(missing):
                owing.decide(uid, results.get(uid))


@asynccontextmanager
async def asking(settings: PlatformSettings, plans: Sequence[TriggerPlan], clock: Clock) -> AsyncIterator[Asking]:
    """Over connections of its own."""
    async with PlatformClient(settings, clock) as client, Workspace(settings, clock) as workspace:
        yield Asking(Inventory(client, workspace), plans, clock)


def _stored(comment: Mapping[str, Any]) -> Stored:
    known = {name: comment.get(name) for name in Stored._fields}
    return Stored(**{name: value if isinstance(value, str) else "" for name, value in known.items()})
