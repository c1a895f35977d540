"""One of several processes that share the triggers: it works on what its seat in the group is assigned (D2, I6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial

from bridge.domain.backoff import backoff_s
from bridge.domain.census import Census
from bridge.domain.commands import Command, Verb, is_obeyed, obeyed
from bridge.domain.errors import BridgeError, Fatal
from bridge.domain.model import TriggerName
from bridge.domain.plan import TriggerPlan
from bridge.domain.standing import Place
from bridge.domain.status import Status
from bridge.engine.crew import Crew, Tie
from bridge.engine.cycle import Neighbours
from bridge.engine.keeper import Keeper
from bridge.engine.reporter import Reporter
from bridge.engine.worker import Worker
from bridge.ports import Bulletin, Membership, StateStore
from bridge.signals import Signals

HOLD_S_MAX = 10.0
"""How long the group may have to wait for a pass in flight: well within the time it waits for a member."""

LEAVE_S_MAX = 25.0
"""The same for a process that stops: others may be waiting for it."""

IsMine = Callable[[TriggerName], bool]


class Member:
    """`ownership: kafka`. A seat: what is assigned is taken over, what is revoked is let go before anybody else has it.

    aiokafka revokes everything before each rebalance. So all workers are parked then, with what they remember; those
    that are assigned here again go on from it.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        store: StateStore,
        bulletin: Bulletin,
        membership: Membership,
        signals: Signals,
        random: Callable[[], float],
        *,
        stop_timeout_s: float,
        advance_s: float,
        name: str,
    ) -> None:
        self.name = name
        self.plans: Mapping[TriggerName, TriggerPlan] = {}
        self.is_ready = False
        self.has_seen_all = False
        self._clock = neighbours.clock
        self._bulletin = bulletin
        self._membership = membership
        self._signals = signals
        self._random = random
        self._stop_timeout_s = stop_timeout_s
        self._hold_s = min(HOLD_S_MAX, stop_timeout_s)
        self._crew = Crew(neighbours, store, signals, random, Tie(sure_s=membership.sure_s, advance_s=advance_s))
        self._is_mine: IsMine | None = None
        self._stop = asyncio.Event()
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self._obeying: asyncio.Future[bool] | None = None
        signals.watch(self.statuses, neighbours.clock.now)

    def statuses(self) -> Sequence[Status]:
        """Of every trigger that is worked on here."""
        return [worker.status for name, worker in self._crew.workers.items() if self._crew.at_work(name)]

    def at_work(self, name: TriggerName) -> Worker | None:
        """The trigger's worker, where it works here."""
        return self._crew.at_work(name)

    def census(self, name: TriggerName) -> Census | None:
        """What the trigger's worker has counted, where it works here."""
        worker = self._crew.at_work(name)
        return worker.census if worker else None

    def censuses(self) -> Mapping[TriggerName, Census]:
        """Of every trigger that is worked on here and has counted. Asked for every few seconds: it makes none."""
        return {
            name: worker.begun_census
            for name, worker in self._crew.workers.items()
            if self._crew.at_work(name) and worker.begun_census is not None
        }

    async def run(self, plans: Sequence[TriggerPlan], stop: asyncio.Event) -> None:
        """Until `stop`; then the passes in flight end, within a bound, and the seat is left."""
        self.plans = {plan.name: plan for plan in plans}
        self._stop = stop
        reporter = Reporter(self.statuses, self.censuses, self._bulletin, self._clock, self._signals, self.name)
        try:
            await self._again_and_again(self._see_all, stop, "state_not_loaded")
            async with asyncio.TaskGroup() as beside:
                tasks = [
                    beside.create_task(self._settle_on(stop), name="settling"),
                    beside.create_task(self._watch(), name="watching"),
                    beside.create_task(reporter.run(), name="reporter"),
                ]
                await self._again_and_again(partial(self._sit, stop), stop, "group_not_joined")
                for task in tasks:
                    task.cancel()
        finally:
            self.is_ready = False
            await self._crew.end(list(self._crew.workers), self._stop_timeout_s)

    async def apply(self, plans: Iterable[TriggerPlan]) -> None:
        """Take over a new configuration, of what is owned here."""
        self.plans = {plan.name: plan for plan in plans}
        self._wake.set()

    async def revoked(self) -> None:
        """As the port says."""
        if self._is_mine is not None:
            self._signals.revoked(len(self.statuses()))
        self._is_mine = None
        self._settled = asyncio.Event()
        self._over.set()
        await asyncio.gather(self._stop_work(), self._end_obeying())

    async def _stop_work(self) -> None:
        """For good where the process stops: then what is left to be marked is worth waiting for."""
        if self._stop.is_set():
            await self._crew.end(list(self._crew.workers), min(LEAVE_S_MAX, self._stop_timeout_s))
        else:
            await self._crew.park(self._hold_s)

    def assigned(self, is_mine: IsMine) -> None:
        """As the port says. Heartbeats wait for this to return, so the taking over is done beside it."""
        self._is_mine = is_mine
        self._over = asyncio.Event()
        self._wake.set()

    async def commanded(self, command: Command, place: Place) -> bool:
        """As the port says: durable before it is true."""
        over, settled = self._over, self._settled
        ends = {asyncio.ensure_future(over.wait()), asyncio.ensure_future(settled.wait())}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
        if over.is_set():
            return False
        self._obeying = asyncio.ensure_future(self._obey(command, place, over))
        await asyncio.wait({self._obeying})
        return not self._obeying.cancelled() and self._obeying.result()

    async def _obey(self, command: Command, place: Place, over: asyncio.Event) -> bool:
        failures = 0
        while not over.is_set():
            try:
                keeper = await self._keeper(command.trigger)
                known = is_obeyed(keeper.standing, place)
                await keeper.change(partial(obeyed, command=command, place=place))
            except BridgeError as error:
                failures += 1
                wait_s = backoff_s(error, failures, self._random())
                self._signals.service_failed(
                    "command_not_obeyed_yet", trigger=command.trigger, code=error.code, retry_in_s=round(wait_s, 2)
                )
                await self._clock.wait(over, wait_s)
                continue
            worker = self._crew.at_work(command.trigger)
            if worker is not None and worker.keeper is not keeper:
                # It began meanwhile, from what stood before: obeyed there as well, or its next change takes this back.
                continue
            self._signals.obeyed(command.trigger, command.verb.value, command.id, again=known)
            self._tell(command, again=known)
            return True
        return False

    async def _keeper(self, name: TriggerName) -> Keeper:
        """Of a trigger that nobody works on here, with what the command before has left. Raises Retry or Blocked."""
        if self._crew.at_work(name) is None:
            await self._bulletin.catch_up()
        return self._crew.keeper(name, self._bulletin.standing(name))

    def _tell(self, command: Command, *, again: bool) -> None:
        worker = self._crew.at_work(command.trigger)
        if worker is None or again:
            return
        if command.verb is Verb.RESUME:
            worker.resume()
        else:
            worker.wake()

    async def _end_obeying(self) -> None:
        obeying = self._obeying
        if obeying is None or obeying.done():
            return
        limit = asyncio.ensure_future(self._clock.sleep(self._hold_s))
        ends: set[asyncio.Future[object]] = {obeying, limit}  # type: ignore[arg-type]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        limit.cancel()
        obeying.cancel()

    async def _see_all(self) -> None:
        """The standings as they are: nobody is answered, and nothing begun, without them (D18)."""
        await self._bulletin.catch_up()
        self.has_seen_all = True

    async def _sit(self, stop: asyncio.Event) -> None:
        await self._membership.sit(self, stop)

    async def _settle_on(self, stop: asyncio.Event) -> None:
        while True:
            self._wake.clear()
            await self._again_and_again(self._settle, stop, "not_taken_over")
            await self._wake.wait()

    async def _settle(self) -> None:
        """Work on what is assigned, and on nothing else. The standings are read to their end first."""
        is_mine = self._is_mine
        if is_mine is None:
            return
        await self._bulletin.catch_up()
        wanted = {name: plan for name, plan in self.plans.items() if is_mine(name)}
        # A name that now means another trigger of the platform is another worker: its memory is not the old one's.
        lost = [
            name
            for name, worker in self._crew.workers.items()
            if name not in wanted or wanted[name].ref != worker.plan.ref
        ]
        await self._crew.end(lost, self._hold_s)
        if self._is_mine is not is_mine:
            return
        self._bulletin.overwritten()
        for name, plan in wanted.items():
            self._crew.begin(plan, partial(self._bulletin.standing, name))
        if not self._settled.is_set():
            self._signals.assigned(len(wanted), len(self.plans))
        self._settled.set()
        self.is_ready = True

    async def _watch(self) -> None:
        """Put right what a process wrote that owned the trigger once and was too late to know better (D15)."""
        while True:
            changed = self._bulletin.changed()
            for name in self._bulletin.overwritten():
                worker = self._crew.at_work(name)
                if worker is not None and self._bulletin.standing(name) != worker.keeper.standing:
                    await self._restate(worker)
            await changed.wait()

    async def _restate(self, worker: Worker) -> None:
        self._signals.service_failed("standing_overwritten", trigger=worker.plan.name)
        try:
            await worker.keeper.restate()
        except BridgeError as error:
            # Whatever is written next sets it right as well; until then the worker goes by what it knows.
            self._signals.service_failed("standing_not_restated", trigger=worker.plan.name, code=error.code)

    async def _again_and_again(self, doing: Callable[[], Awaitable[None]], stop: asyncio.Event, told_as: str) -> None:
        """Until it is done, or `stop`. Raises Fatal."""
        failures = 0
        while not stop.is_set():
            try:
                await doing()
            except Fatal:
                raise
            except BridgeError as error:
                failures += 1
                wait_s = backoff_s(error, failures, self._random())
                self._signals.service_failed(told_as, code=error.code, error=str(error), retry_in_s=round(wait_s, 2))
                await self._clock.wait(stop, wait_s)
            else:
                return
