"""Starts, replaces and stops the workers of this process, and is where operators' commands arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bridge.domain.backoff import backoff_s
from bridge.domain.census import Census
from bridge.domain.errors import BridgeError, Retry
from bridge.domain.model import TriggerName
from bridge.domain.plan import TriggerPlan
from bridge.domain.replay import would_skip
from bridge.domain.standing import Pause, Reset, Standing
from bridge.domain.status import Status
from bridge.engine.cycle import Neighbours
from bridge.engine.desk import ConflictError, Seen, UnknownTriggerError, WouldSkipError
from bridge.engine.keeper import Keeper
from bridge.engine.worker import Worker
from bridge.ports import StateStore
from bridge.signals import Signals


class Supervisor:
    """`ownership: local`: this process owns every configured trigger (D2)."""

    def __init__(
        self,
        neighbours: Neighbours,
        store: StateStore,
        signals: Signals,
        random: Callable[[], float],
        stop_timeout_s: float,
        name: str = "",
    ) -> None:
        self._name = name
        self._neighbours = neighbours
        self._store = store
        self._signals = signals
        self._random = random
        self._stop_timeout_s = stop_timeout_s
        self._workers: dict[TriggerName, Worker] = {}
        self._tasks: dict[TriggerName, asyncio.Task[None]] = {}
        self._standings: dict[TriggerName, Standing] = {}
        self.is_ready = False
        signals.watch(self.statuses, neighbours.clock.now)

    def statuses(self) -> Sequence[Status]:
        """Of every worker, in the order of the configuration."""
        return [worker.status for worker in self._workers.values()]

    def worker(self, name: TriggerName) -> Worker:
        """Raises UnknownTriggerError, and Retry while the workers are not started yet."""
        worker = self._workers.get(name)
        if worker is None and not self.is_ready:
            raise _starting()
        if worker is None:
            raise UnknownTriggerError(name)
        return worker

    def names(self) -> Sequence[TriggerName]:
        """As the desk says."""
        if not (self._workers or self.is_ready):
            raise _starting()
        return sorted(self._workers)

    def seen(self, name: TriggerName) -> Seen:
        """As the desk says."""
        worker = self.worker(name)
        return Seen(plan=worker.plan, standing=worker.keeper.standing, status=worker.status, owner=self._name)

    def census(self, name: TriggerName) -> Census | None:
        """As the desk says."""
        return self.worker(name).census

    async def run(self, plans: Sequence[TriggerPlan], stop: asyncio.Event) -> None:
        """Until `stop`, then until the passes in flight have ended or `stop_timeout_s` is over.

        The standings are read first: no worker starts without knowing its pauses, generation and open resets (D18).
        """
        if not await self._load(stop):
            return
        try:
            await self.apply(plans)
            self.is_ready = True
            await stop.wait()
        finally:
            self.is_ready = False
            await self._end(list(self._workers))

    async def apply(self, plans: Iterable[TriggerPlan]) -> None:
        """Take over a new configuration: workers of triggers that are gone end, new ones start, the others go on."""
        wanted = {plan.name: plan for plan in plans}
        # A name that now means another trigger of the platform is another worker: its memory is not the old one's.
        gone = [
            name for name, worker in self._workers.items() if name not in wanted or wanted[name].ref != worker.plan.ref
        ]
        await self._end(gone)
        for name, plan in wanted.items():
            if name not in self._workers:
                self._start(plan)
            elif self._workers[name].plan is not plan:
                self._workers[name].replan(plan)

    async def pause(self, name: TriggerName, by: str, reason: str) -> None:
        """Durable before it returns (D18). The pass in flight ends; no other begins."""
        worker = self.worker(name)
        pause = Pause(by=by, at=self._neighbours.clock.now(), reason=reason)
        await worker.keeper.change(lambda standing: standing if standing.pause else replace(standing, pause=pause))
        self._signals.commanded(name, "pause", by, {"reason": reason})
        worker.wake()

    async def resume(self, name: TriggerName, by: str) -> None:
        """Ends a pause, and lets a trigger that stopped loudly try again."""
        worker = self.worker(name)
        await worker.keeper.change(lambda standing: replace(standing, pause=None))
        self._signals.commanded(name, "resume", by, {})
        worker.resume()

    async def reset(self, name: TriggerName, reset: Reset) -> Reset:
        """Write the wish down; the trigger's worker carries it out (see engine.reset). One of a known id is that one.

        Raises ConflictError while another is under way, WouldSkipError for a forward one without `allow_skip`, and
        what a fetch raises.
        """
        worker = self.worker(name)
        known_before = any(known.id == reset.id for known in worker.keeper.standing.resets)
        if not (reset.allow_skip or known_before):
            await self._refuse_to_skip(worker, reset.to_comment_created_at)

        def opened(standing: Standing) -> Standing:
            if any(known.id == reset.id for known in standing.resets):
                return standing
            if under_way := standing.open_reset:
                raise ConflictError(f"reset {under_way.id} is under way ({under_way.phase.value})")
            return standing.with_reset(reset)

        standing = await worker.keeper.change(opened)
        self._signals.commanded(
            name, "reset", reset.requested_by, {"reset": reset.id, "to": reset.to_comment_created_at.isoformat()}
        )
        worker.wake()
        return next(known for known in standing.resets if known.id == reset.id)

    async def _refuse_to_skip(self, worker: Worker, to_comment_created_at: datetime) -> None:
        pending = await self._neighbours.source.fetch(worker.plan.ref, worker.plan.batch_size)
        if would_skip(pending, to_comment_created_at, self._neighbours.clock.now()):
            raise WouldSkipError(
                f"results uploaded before {to_comment_created_at.isoformat()} have not been published yet"
            )

    async def _load(self, stop: asyncio.Event) -> bool:
        failures = 0
        while not stop.is_set():
            try:
                self._standings = dict(await self._store.load())
            except BridgeError as error:
                failures += 1
                wait_s = backoff_s(error, failures, self._random())
                self._signals.service_failed("state_not_loaded", code=error.code, error=str(error), retry_in_s=wait_s)
                await self._neighbours.clock.wait(stop, wait_s)
            else:
                return True
        return False

    def _start(self, plan: TriggerPlan) -> None:
        keeper = Keeper(plan.name, self._standings.get(plan.name, Standing()), self._store)
        worker = Worker(plan, keeper, self._neighbours, self._signals, self._random)
        self._workers[plan.name] = worker
        task = asyncio.create_task(worker.run(), name=f"worker {plan.name}")
        task.add_done_callback(self._report_end)
        self._tasks[plan.name] = task

    def _report_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (defect := task.exception()):
            self._signals.service_failed("worker_died", task=task.get_name(), error_type=type(defect).__name__)

    async def _end(self, names: Sequence[TriggerName]) -> None:
        """Let the passes in flight end, within the bound; what does not is cut off, which loses nothing (I7)."""
        ending = {name: self._tasks[name] for name in names}
        for name in names:
            self._workers[name].stop()
        if ending:
            await self._bounded(asyncio.ensure_future(asyncio.wait(ending.values())))
            late = [task for task in ending.values() if not task.done()]
            for task in late:
                task.cancel()
            await asyncio.gather(*ending.values(), return_exceptions=True)
            if late:
                self._signals.service_failed("stop_timeout", cut_off=sorted(task.get_name() for task in late))
        for name in names:
            # One that comes back by a later reload goes on from here, not from what was read at start.
            self._standings[name] = self._workers[name].keeper.standing
            del self._workers[name], self._tasks[name]

    async def _bounded(self, ending: asyncio.Future[Any]) -> None:
        limit: asyncio.Future[Any] = asyncio.ensure_future(self._neighbours.clock.sleep(self._stop_timeout_s))
        await asyncio.wait([ending, limit], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        limit.cancel()


def _starting() -> Retry:
    return Retry("the workers are not started: their standings are being read", code="starting")
