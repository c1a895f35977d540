"""The workers of this process: begun, parked with what they remember, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.domain.model import TriggerName
from bridge.domain.plan import TriggerPlan
from bridge.domain.standing import Standing
from bridge.engine.cycle import Neighbours
from bridge.engine.guard import Guard, GuardedStore, guarded
from bridge.engine.keeper import Keeper
from bridge.engine.worker import Worker
from bridge.ports import StateStore
from bridge.signals import Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """How long this process surely owns its triggers, in seconds from now; an advance can take `advance_s`."""

    sure_s: Callable[[], float] = lambda: float("inf")
    advance_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class _Hand:
    worker: Worker
    guard: Guard
    task: asyncio.Task[None] | None = None


class Crew:
    """One worker a trigger (I6), each in a task of its own while it works."""

    def __init__(
        self, neighbours: Neighbours, store: StateStore, signals: Signals, random: Callable[[], float], tie: Tie
    ) -> None:
        self._neighbours = neighbours
        self._tie = tie
        self._store = GuardedStore(store, tie.sure_s)
        self._signals = signals
        self._random = random
        self._hands: dict[TriggerName, _Hand] = {}

    @property
    def workers(self) -> Mapping[TriggerName, Worker]:
        """At work or parked."""
        return {name: hand.worker for name, hand in self._hands.items()}

    def at_work(self, name: TriggerName) -> Worker | None:
        """The trigger's worker, unless it is parked."""
        hand = self._hands.get(name)
        return hand.worker if hand is not None and hand.task is not None else None

    def keeper(self, name: TriggerName, standing: Standing) -> Keeper:
        """Of the worker at work, or for a trigger that nobody works on."""
        worker = self.at_work(name)
        return worker.keeper if worker else Keeper(name, standing, self._store)

    def begin(self, plan: TriggerPlan, standing: Callable[[], Standing]) -> None:
        """Put a worker to work, or let a parked one go on; one at work gets the plan where it is another."""
        hand = self._hands.get(plan.name)
        if hand is None:
            hand = self._hands[plan.name] = self._new(plan, self._bound(plan, standing()))
        elif hand.task is None:
            # Somebody else may have had the trigger meanwhile: what is written down counts, not what we remember.
            hand.worker.keeper.standing = self._bound(plan, standing())
        if hand.worker.plan is not plan:
            hand.worker.replan(plan)
        if hand.task is None:
            hand.guard.enter()
            hand.worker.ready()
            hand.task = asyncio.create_task(hand.worker.run(), name=f"worker {plan.name}")
            hand.task.add_done_callback(self._report_end)

    async def park(self, within_s: float) -> Sequence[TriggerName]:
        """Stop all work. A pass in flight ends within the bound, or is cut off, which loses nothing (I7).

        Returns those that were cut off. Memories and producers are kept, for those that will go on.
        """
        return await self._stop(self._hands, within_s)

    async def end(self, names: Collection[TriggerName], within_s: float) -> Sequence[TriggerName]:
        """The same for these, which go for good."""
        late = await self._stop(names, within_s, for_good=True)
        for name in names:
            # Two that end the same one at the same time both wait for its pass; the first takes it away.
            hand = self._hands.pop(name, None)
            if hand is not None:
                await hand.worker.leave()
        return late

    async def _stop(
        self, names: Collection[TriggerName], within_s: float, *, for_good: bool = False
    ) -> Sequence[TriggerName]:
        hands = {name: hand for name in names if (hand := self._hands.get(name)) is not None and hand.task is not None}
        stopping = {name: hand.task for name, hand in hands.items() if hand.task is not None}
        for hand in hands.values():
            hand.worker.stop(for_good=for_good)
            hand.guard.leave()
        if not stopping:
            return []
        tasks = set(stopping.values())
        await self._bounded(asyncio.ensure_future(asyncio.wait(tasks)), within_s)
        late = sorted(name for name, task in stopping.items() if not task.done())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Not by their names: a configuration without one of them may have taken it away meanwhile.
        for hand in hands.values():
            hand.task = None
        if late:
            self._signals.service_failed("stop_timeout", cut_off=late)
        return late

    async def _bounded(self, ending: asyncio.Future[Any], within_s: float) -> None:
        limit: asyncio.Future[Any] = asyncio.ensure_future(self._neighbours.clock.sleep(within_s))
        await asyncio.wait([ending, limit], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        limit.cancel()

    def _new(self, plan: TriggerPlan, standing: Standing) -> _Hand:
        guard = Guard(self._tie.sure_s, self._tie.advance_s)
        keeper = Keeper(plan.name, standing, self._store)
        worker = Worker(plan, keeper, guarded(self._neighbours, guard), self._signals, self._random)
        return _Hand(worker=worker, guard=guard)

    def _bound(self, plan: TriggerPlan, standing: Standing) -> Standing:
        return standing.bound_to(plan.ref.identity, self._neighbours.clock.now())

    def _report_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (defect := task.exception()):
            self._signals.service_failed("worker_died", task=task.get_name(), error_type=type(defect).__name__)
