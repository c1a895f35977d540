"""`bridge audit` at work: the state topic, the topics, the state topic again, and the judgement."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.scan import Scanner, Stretch, scanning
from bridge.adapters.kafka.state_scan import Evidence, evidence
from bridge.adapters.kafka.state_topic import state_topic
from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.app.audit_platform import Reading, asking
from bridge.app.config.settings import Settings
from bridge.app.repair import Repair
from bridge.domain.audit import Auditor
from bridge.domain.audit_report import Audited
from bridge.domain.owed import Carried
from bridge.domain.plan import TriggerPlan
from bridge.domain.record import DEAD_LETTER_ROUTE, UNMATCHED_ROUTE
from bridge.domain.standing import Standing
from bridge.domain.tenures import Promise, Window, hold_against
from bridge.domain.topic_record import TopicRecord

MARGIN_MS = 60_000
"""The sender's clock and the broker's, which may each have dated a record, may differ by so much."""
NEVER_MS = 2**62

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditWish:
    """What to look at: all triggers where none is named, the whole of the topics where there is no `since`.

    `topics` are read beside those that the configuration names and those that replays were sent to. With `platform`
    the comments that the platform has are held against what was read.
    """

    topics: frozenset[str] = frozenset()
    triggers: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    repair: bool = False
    platform: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOutcome:
    """`others` are records of nobody's or of triggers that were not asked for; `hidden` are offsets that could not be
    seen behind a transaction that stayed open; `missing` are topics that are not there; `repaired` are the marks
    written anew, by trigger."""

    audited: Sequence[Audited]
    topics: Sequence[str]
    records: int
    others: int
    hidden: Mapping[str, int]
    missing: Sequence[str]
    repaired: Mapping[str, int]

    @property
    def is_fine(self) -> bool:
        """Nothing that was read is wrong."""
        return all(each.is_fine for each in self.audited)

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return {
            "fine": self.is_fine,
            "records": self.records,
            "other_records": self.others,
            "hidden_by_open_transactions": dict(self.hidden),
            "topics": list(self.topics),
            "missing_topics": list(self.missing),
            "repaired_marks": dict(self.repaired),
            "triggers": [each.as_json() for each in self.audited],
        }


async def audit(settings: Settings, wish: AuditWish, told: Told) -> AuditOutcome:
    """Read everything once and judge it; `told` hears how many of how many offsets are read.

    Raises Retry or Blocked where a neighbour is missing, Fatal for a state record that cannot be read.
    """
    plans = [plan for plan in settings.triggers if not wish.triggers or plan.name in wish.triggers]
    clock = SystemClock()
    async with AsyncExitStack() as opened:
        scanner = await opened.enter_async_context(scanning(settings.kafka, clock))
        ledger = await opened.enter_async_context(RedisLedger(settings.redis))
        before = await evidence(scanner, state_topic(settings.deployment))
        generations = generations_of(plans, before)
        repair = Repair(plans, generations, ledger, clock.now(), settings.redis.key_ttl_s) if wish.repair else None
        replays = replays_of(plans, before)
        asked = None
        if wish.platform:
            asked = await opened.enter_async_context(asking(settings.platform, plans, clock))
            await asked.look(before.standings)
        reading = _Reading(plans, generations, repair, Carried(replays) if asked else None)
        wanted = wish.topics.union(*(plan.topics for plan in [*plans, *replays.values()]))
        topics, missing = await scanner.there(wanted)
        stretches = await scanner.stretches(topics, since=wish.since, until=wish.until)
        await reading.read(scanner, stretches, told)
        after = await evidence(scanner, state_topic(settings.deployment))
        window = Window(
            since_ms=reading.whole_since_ms,
            until_ms=round(wish.until.timestamp() * 1000) - MARGIN_MS if wish.until else NEVER_MS,
            is_all_visible=not scanner.hidden,
        )
        # Topics of a replay are thrown away when it has served; with them goes what could be said of it.
        gone = {generation for generation, plan in replays.items() if plan.topics.intersection(missing)}
        routes = {plan.ref.identity: routes_of(plan) for plan in plans}
        hold_against(reading.auditor, _of(plans, before, gone), _of(plans, after, gone), window, routes)
        if asked and reading.carried:
            if wish.until:
                await reading.read_late(scanner, await scanner.stretches(topics, since=wish.until))
            read = reading.as_read(reading.carried, stretches, {*missing, *(topic for topic, _ in scanner.hidden)})
            for identity, found in (await asked.findings(read, before.standings, wish, told)).items():
                reading.auditor.of(identity, generations[identity]).platform = found
        return AuditOutcome(
            audited=reading.auditor.findings(),
            topics=topics,
            records=reading.auditor.records,
            others=reading.others + scanner.foreign,
            hidden={f"{topic}/{partition}": count for (topic, partition), count in scanner.hidden.items()},
            missing=missing,
            repaired=repair.marked if repair else {},
        )


def generations_of(plans: Collection[TriggerPlan], found: Evidence) -> dict[str, int]:
    """The current generation of each trigger, by its identity."""
    return {
        plan.ref.identity: found.standings[plan.name].generation if plan.name in found.standings else 0
        for plan in plans
    }


def replays_of(plans: Collection[TriggerPlan], found: Evidence) -> dict[tuple[str, int], TriggerPlan]:
    """The plans that replays to other topics went by, by trigger and generation."""
    return {
        (plan.ref.identity, reset.generation): plan.on_topics_with(reset.topic_prefix)
        for plan in plans
        for reset in found.standings.get(plan.name, Standing()).resets
        if reset.topic_prefix and reset.generation is not None
    }


def routes_of(plan: TriggerPlan) -> frozenset[str]:
    """The routes whose topics a plan names."""
    live = {route.name for route in plan.rules.routes if not route.shadow}
    return frozenset(live | {UNMATCHED_ROUTE, DEAD_LETTER_ROUTE})


def _of(plans: Collection[TriggerPlan], found: Evidence, gone: Collection[tuple[str, int]]) -> list[Promise]:
    identities = {plan.ref.identity for plan in plans}
    return [
        promise
        for promise in found.promises
        if promise.position.trigger in identities
        and (promise.position.trigger, promise.position.generation) not in gone
    ]


class _Reading:
    def __init__(
        self,
        plans: Collection[TriggerPlan],
        generations: Mapping[str, int],
        repair: Repair | None,
        carried: Carried | None,
    ) -> None:
        self._names = {plan.ref.identity: str(plan.name) for plan in plans}
        self._repair = repair
        self.carried = carried
        self.first_ms: dict[tuple[str, int], int] = {}
        self.auditor = Auditor(self._names, generations)
        self.others = 0
        self.whole_since_ms = 0
        """Everything that was written since then was read, as far as the topics still have it."""

    async def read(self, scanner: Scanner, stretches: Sequence[Stretch], told: Told) -> None:
        done, whole = 0, sum(stretch.length for stretch in stretches)
        for stretch in stretches:
            async for records in scanner.records(stretch):
                if records:
                    await self._take(stretch, records)
                    told(done + records[-1].place.offset + 1 - stretch.start, whole)
            done += stretch.length
            told(done, whole)
        if self._repair:
            await self._repair.finish()

    async def _take(self, stretch: Stretch, records: Sequence[TopicRecord]) -> None:
        place = (stretch.topic, stretch.partition)
        if place not in self.first_ms:
            self.first_ms[place] = records[0].written_ms
            if stretch.start > 0:
                self.whole_since_ms = max(self.whole_since_ms, records[0].written_ms + MARGIN_MS)
        ours = [record for record in records if record.trigger in self._names]
        self.others += len(records) - len(ours)
        self.auditor.take(ours)
        if self._repair:
            await self._repair.take(ours)
        if self.carried:
            self.carried.take(ours)

    def as_read(self, carried: Carried, stretches: Sequence[Stretch], unread: Collection[str]) -> Reading:
        """For the platform's comments to be held against."""
        return Reading(carried=carried, stretches=stretches, first_ms=self.first_ms, unread=unread)

    async def read_late(self, scanner: Scanner, stretches: Sequence[Stretch]) -> None:
        """Only whose records these are: what was uploaded in the time asked for may have been carried after it."""
        for stretch in stretches:
            async for records in scanner.records(stretch):
                if self.carried:
                    self.carried.take(record for record in records if record.trigger in self._names)
