"""The life of one trigger's worker: repeats the pass, rests, backs off, obeys pauses and resets, ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from bridge.domain.backoff import backoff_s, poll_wait_s
from bridge.domain.census import Census
from bridge.domain.errors import Blocked, BridgeError, Retry, StopTrigger, Throttled
from bridge.domain.plan import DeliveryMode, TriggerPlan
from bridge.domain.progress import held, passed
from bridge.domain.replay import replayed
from bridge.domain.standing import ResetPhase
from bridge.domain.status import State, Status
from bridge.engine.atomic_cycle import run_atomic_cycle
from bridge.engine.cycle import Memory, Neighbours, Pass, run_cycle
from bridge.engine.keeper import Keeper
from bridge.engine.reset import reconcile
from bridge.signals import Signals

STAND_BY_S = 30.0
"""A worker that stands by is woken by commands; it turns now and then all the same, for liveness to see."""


class Worker:
    """One task; the only one that touches its trigger (I6)."""

    def __init__(
        self,
        plan: TriggerPlan,
        keeper: Keeper,
        neighbours: Neighbours,
        signals: Signals,
        random: Callable[[], float],
    ) -> None:
        self.plan = plan
        self.keeper = keeper
        self.status = Status(
            name=plan.name, generation=keeper.standing.generation, last_progress=neighbours.clock.now()
        )
        self._neighbours = neighbours
        self._clock = neighbours.clock
        self._signals = signals
        self._random = random
        self.census = Census(plan.rules, neighbours.clock.now())
        self._memory = Memory()
        self._wake = asyncio.Event()
        self._stopping = False
        self._halted: StopTrigger | None = None

    def stop(self) -> None:
        """End after the pass in flight; rests and back-offs are cut short."""
        self._stopping = True
        self._wake.set()

    def wake(self) -> None:
        """Look at the standing again: it was changed."""
        self._wake.set()

    def replan(self, plan: TriggerPlan) -> None:
        """Use another plan from the next pass on (D9)."""
        self.plan = plan
        if not self.census.is_of(plan.rules):
            self.census = Census(plan.rules, self._clock.now())
        self._halted = None
        self._wake.set()

    def resume(self) -> None:
        """Try again after a loud stop; what made it stop is counted afresh."""
        self._halted = None
        self._memory = Memory(unmarked=self._memory.unmarked)
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`. Only a defect of this loop itself can end it otherwise."""
        while not self._stopping:
            self._wake.clear()
            wait_s = await self._turn()
            if wait_s:
                await self._clock.wait(self._wake, wait_s)
        await self._neighbours.transactions.release(self.plan.name)
        self._enter(State.STOPPED, "stopped")

    async def _turn(self) -> float:
        """One turn of the loop; seconds to rest after it."""
        try:
            if self._may_run():
                return await self._work()
            return await self._stand_by()
        except BridgeError as error:
            return self._back_off(error)
        except Exception as defect:  # noqa: BLE001 - the task would die silently and its trigger with it
            self._signals.crashed(self.plan.name, defect)
            return self._back_off(Retry("a defect of the bridge, see cycle_defect in its log", code="internal"))

    def _may_run(self) -> bool:
        return self._halted is None and self.keeper.standing.pause is None

    async def _stand_by(self) -> float:
        """Paused or stopped loudly. A reset is carried out all the same; it stays paused behind it."""
        await self._reconcile()
        pause = self.keeper.standing.pause
        if self._halted is not None:
            self._enter(State.FAILED, str(self._halted))
        elif pause is not None:
            self._enter(State.PAUSED, f"paused by {pause.by}" + (f": {pause.reason}" if pause.reason else ""))
        self.status = replace(self.status, last_progress=self._clock.now(), next_attempt=None)
        return STAND_BY_S

    async def _reconcile(self) -> None:
        reset = self.keeper.standing.open_reset
        if reset is None:
            return
        if reset.phase.holds_the_worker:
            self._enter(State.RESETTING, f"reset {reset.id} to {reset.to_comment_created_at.isoformat()}")
        await reconcile(self.plan.ref, self.keeper, self._neighbours.source, self._clock, self._signals)

    async def _work(self) -> float:
        await self._reconcile()
        if self.plan.delivery is not DeliveryMode.EXACTLY_ONCE:
            await self._let_go()
        standing = self.keeper.standing
        replaying = standing.open_reset is not None
        self._enter(State.REPLAYING if replaying else State.RUNNING, "")
        self.status = replace(self.status, generation=standing.generation)
        run_pass = run_atomic_cycle if self.plan.delivery is DeliveryMode.EXACTLY_ONCE else run_cycle
        done = await run_pass(self.plan, standing.generation, self._memory, self._neighbours, self._signals)
        self.status = passed(self.status, done.batch, done.decision, done.receipts, self._clock.now())
        self.census.count(done.batch)
        if replaying:
            await self._count_replay(done)
        return self._rest(done)

    async def _let_go(self) -> None:
        """The producer of a trigger whose batches are no longer transactions."""
        if self._memory.tenure is not None:
            self._memory.tenure = None
            await self._neighbours.transactions.release(self.plan.name)

    async def _count_replay(self, done: Pass) -> None:
        now = self._clock.now()
        standing = await self.keeper.change(lambda standing: replayed(standing, done.batch, now))
        ended = standing.resets[-1]
        if ended.phase is ResetPhase.DONE:
            self._signals.reset_moved(self.plan.name, ended)

    def _rest(self, done: Pass) -> float:
        """At once while more may wait, else the poll interval (D8a). Without an end marker an empty page is the end."""
        waiting = done.advanced and not done.batch.is_end
        if waiting:
            return 0.0
        self._enter(State.IDLE, "")
        wait_s = poll_wait_s(self.plan.poll_interval_s, self._random())
        self.status = replace(self.status, next_attempt=self._clock.now() + timedelta(seconds=wait_s))
        return wait_s

    def _back_off(self, error: BridgeError) -> float:
        failures = self.status.failures_in_a_row + 1
        wait_s = backoff_s(error, failures, self._random())
        self.status = held(self.status, error, wait_s, self._clock.now())
        if isinstance(error, StopTrigger):
            self._halted = error
            self._enter(State.FAILED, str(error))
        elif isinstance(error, Throttled):
            self._enter(State.THROTTLED, str(error))
        elif isinstance(error, Blocked) or failures > 1:
            self._enter(State.BLOCKED, str(error))
        self._signals.failed(self.plan.name, error, failures, wait_s)
        return wait_s

    def _enter(self, state: State, reason: str) -> None:
        before = self.status.state
        self.status = replace(self.status, state=state, reason=reason)
        # running and idle follow each other at every poll: seen in the metrics, not worth a line each
        if before is not state and {before, state} != {State.RUNNING, State.IDLE}:
            self._signals.state_changed(self.plan.name, before, state, reason)
