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
from bridge.domain.progress import held, idled, passed, rested
from bridge.domain.replay import Step, next_step, replayed
from bridge.domain.standing import ResetPhase
from bridge.domain.status import State, Status
from bridge.domain.trail import MovedBack, at_work, trail_of
from bridge.domain.window import window_of
from bridge.engine.atomic_cycle import run_atomic_cycle
from bridge.engine.cycle import Memory, Neighbours, Pass, run_cycle
from bridge.engine.foreign import look_into
from bridge.engine.guard import Leaving
from bridge.engine.keeper import Keeper
from bridge.engine.reset import reconcile, tell
from bridge.signals import Signals

STAND_BY_S = 30.0
"""A worker that stands by is woken by commands; it turns now and then all the same, for liveness to see."""

MARK_AGAIN_S = 1.0


REACHED_EVERY_S = 30.0
REACHED_IDLE_S = 5.0
"""How far a trigger is, is written down so often under load and at its end: a kill leaves as much unknown."""


class PrefixedPlan:
    """The plan of a replay to other topics, compiled once for all of its passes."""

    def __init__(self) -> None:
        self._made: tuple[TriggerPlan, str, TriggerPlan] | None = None

    def of(self, plan: TriggerPlan, prefix: str) -> TriggerPlan:
        """The plan itself without a prefix."""
        if not prefix:
            return plan
        if self._made is None or self._made[0] is not plan or self._made[1] != prefix:
            self._made = (plan, prefix, plan.on_topics_with(prefix))
        return self._made[2]


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
        self._census: Census | None = None
        self._counts_since = neighbours.clock.now()
        self._memory = Memory(trail=trail_of(keeper.standing, neighbours.clock.monotonic_s(), plan.batch_size))
        self._reached_at_s = float("-inf")
        self._wake = asyncio.Event()
        self._stopping = False
        self._for_good = False
        self._halted: StopTrigger | None = None
        self._prefixed = PrefixedPlan()

    @property
    def begun_census(self) -> Census | None:
        """None while there is nothing that it could have counted."""
        return self._census

    @property
    def census(self) -> Census:
        """Made when it is first needed: it takes 10 kB, and most triggers of many are idle."""
        if self._census is None:
            self._census = Census(self.plan.rules, self._counts_since)
        return self._census

    def stop(self, *, for_good: bool = False) -> None:
        """Let `run` end after the pass in flight; rests and back-offs are cut short. What is remembered is kept."""
        self._stopping = True
        self._for_good = for_good
        self._wake.set()

    async def leave(self) -> None:
        """Let go of everything, after `run` has ended: another worker may have the trigger."""
        self._memory.tenure = None
        await self._neighbours.transactions.release(self.plan.name)
        self._enter(State.STOPPED, "stopped")

    def ready(self) -> None:
        """`run` is to be called again, and goes on with what is remembered."""
        self._stopping = False
        # Somebody else may have moved the trigger meanwhile.
        self._memory.bookmark = None
        self._memory.trail = trail_of(self.keeper.standing, self._clock.monotonic_s(), self.plan.batch_size)

    def wake(self) -> None:
        """Look at the standing again: it was changed."""
        self._wake.set()

    def replan(self, plan: TriggerPlan) -> None:
        """Use another plan from the next pass on (D9)."""
        self.plan = plan
        if self._census is not None and not self._census.is_of(plan.rules):
            self._census = Census(plan.rules, self._clock.now())
        self._halted = None
        self._wake.set()

    def resume(self) -> None:
        """Try again after a loud stop; what made it stop is counted afresh."""
        self._halted = None
        kept = self._memory
        self._memory = Memory(unmarked=kept.unmarked, bookmark=kept.bookmark, trail=kept.trail)
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`. Only a defect of this loop itself can end it otherwise."""
        while not self._stopping:
            self._wake.clear()
            wait_s = await self._turn()
            if wait_s:
                await self._clock.wait(self._wake, wait_s)
        await self._note_reached(is_at_work=False)
        await self._mark_the_rest()

    async def _mark_the_rest(self) -> None:
        """What was acked while the ledger was out is sent twice unless it is marked before the memory goes (I5).

        Where the worker ends for good it is tried until whoever stops it cuts it off, otherwise once: others wait.
        """
        failures = 0
        while self._memory.unmarked:
            try:
                await self._neighbours.ledger.mark(self.plan.ref, list(self._memory.unmarked))
                self._memory.unmarked.clear()
            except Retry as outage:
                failures += 1
                self._signals.failed(self.plan.name, outage, failures, MARK_AGAIN_S)
                if not self._for_good:
                    return
                await self._clock.sleep(MARK_AGAIN_S)

    async def _turn(self) -> float:
        """One turn of the loop; seconds to rest after it."""
        try:
            if self._may_run():
                return await self._work()
            return await self._stand_by()
        except Leaving:
            return 0.0
        except BridgeError as error:
            return self._back_off(error)
        except Exception as defect:  # noqa: BLE001 - the task would die silently and its trigger with it
            self._signals.crashed(self.plan.name, defect)
            return self._back_off(Retry("a defect of the bridge, see cycle_defect in its log", code="internal"))

    def _may_run(self) -> bool:
        return self._halted is None and self.keeper.standing.pause is None

    async def _stand_by(self) -> float:
        """Paused or stopped loudly. A reset is carried out all the same, but for its replay; it stays paused behind it.

        One with an end waits where nobody knows yet where the trigger stands: a pass would have to tell.
        """
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
        if next_step(self.keeper.standing, self._memory.bookmark) not in (Step.LEARN_POSITION, Step.REPLAY):
            self._enter(State.RESETTING, f"reset {reset.id} to {reset.to_comment_created_at.isoformat()}")
            source = self._neighbours.source
            with self._signals.resetting(self.plan.name, reset.id):
                await reconcile(self.plan.ref, self.keeper, self._memory, source, self._clock, self._signals)
            self._forget_reached()

    async def _work(self) -> float:
        await self._reconcile()
        if self.plan.delivery is not DeliveryMode.EXACTLY_ONCE:
            await self._let_go()
        standing = self.keeper.standing
        replay = standing.open_reset
        is_replaying = replay is not None and replay.phase is ResetPhase.REPLAYING
        self._enter(State.REPLAYING if is_replaying else State.RUNNING, "")
        if self.status.generation != standing.generation:
            self.status = replace(self.status, generation=standing.generation)
        plan = self._prefixed.of(self.plan, replay.topic_prefix if replay and is_replaying else "")
        run_pass = run_atomic_cycle if plan.delivery is DeliveryMode.EXACTLY_ONCE else run_cycle
        window = window_of(standing)
        if standing.reached is None or not standing.reached.is_at_work:
            await self.keeper.change(at_work)
        try:
            done = await run_pass(plan, standing.generation, self._memory, self._neighbours, self._signals, window)
        except MovedBack:
            await look_into(plan, self.keeper, self._memory, self._neighbours, self._signals)
            return 0.0
        self._count(done)
        if is_replaying:
            await self._count_replay(done)
        every_s = REACHED_IDLE_S if done.batch.is_end else REACHED_EVERY_S
        if self._clock.monotonic_s() - self._reached_at_s >= every_s:
            await self._note_reached(is_at_work=True)
        return self._rest(done)

    def _count(self, done: Pass) -> None:
        if done.batch.results or done.batch.filtered:
            self.status = passed(self.status, done.batch, done.decision, done.sent, self._clock.now())
            self.census.count(done.batch)
        elif self.keeper.standing.open_reset is not None:
            self.status = rested(self.status, self._clock.now())

    def _forget_reached(self) -> None:
        """What was written down of how far the trigger is, is of another generation once a reset is over."""
        if self.keeper.standing.open_reset is None:
            self._reached_at_s = float("-inf")

    async def _note_reached(self, *, is_at_work: bool) -> None:
        """Write down how far the trigger is, for whoever comes after (D15). Nothing depends on it before then."""
        before, now_s = self.keeper.standing.reached, self._clock.monotonic_s()
        trail = self._memory.trail
        reached = trail.reached(self.keeper.standing, now_s, self._clock.now(), is_at_work=is_at_work)
        if before is None or reached == before:
            return
        self._reached_at_s = now_s
        try:
            await self.keeper.change(lambda standing: replace(standing, reached=reached))
        except BridgeError as error:
            self._signals.reached_unwritten(self.plan.name, error)

    async def _let_go(self) -> None:
        """The producer of a trigger whose batches are no longer transactions."""
        if self._memory.tenure is not None:
            self._memory.tenure = None
            await self._neighbours.transactions.release(self.plan.name)

    async def _count_replay(self, done: Pass) -> None:
        before = self.keeper.standing.open_reset
        now = self._clock.now()
        await self.keeper.change(lambda standing: replayed(standing, done.batch, now, is_last=done.is_last))
        if before is not None:
            tell(before, self.keeper, self._signals)
        self._forget_reached()

    def _rest(self, done: Pass) -> float:
        """At once while more may wait, else the poll interval (D8a). Without an end marker an empty page is the end."""
        waiting = done.advanced and not done.batch.is_end
        reset = self.keeper.standing.open_reset
        if waiting or (reset is not None and reset.phase.holds_the_worker):
            return 0.0
        wait_s = poll_wait_s(self.plan.poll_interval_s, self._random(), self._clock.monotonic_s())
        now = self._clock.now()
        # In one go, since most passes of most triggers end here: each change of a status writes all of it anew.
        before, until = self.status, now + timedelta(seconds=wait_s)
        self.status = idled(before, done.batch, now, until)
        self._tell_change(before.state)
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
        before = self.status
        if (before.state, before.reason) != (state, reason):
            self.status = replace(before, state=state, reason=reason)
            self._tell_change(before.state)

    def _tell_change(self, before: State) -> None:
        state = self.status.state
        # running and idle follow each other at every poll: seen in the metrics, not worth a line each
        if before is not state and {before, state} != {State.RUNNING, State.IDLE}:
            self._signals.state_changed(self.plan.name, before, state, self.status.reason)
