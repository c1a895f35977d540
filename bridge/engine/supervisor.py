"""One process that owns every trigger, and is where operators' commands arrive."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from uuid import uuid4

from bridge.domain.backoff import backoff_s
from bridge.domain.census import Census
from bridge.domain.commands import Command, Verb, conflict, obeyed
from bridge.domain.errors import BridgeError, Retry
from bridge.domain.model import TriggerName
from bridge.domain.plan import TriggerPlan
from bridge.domain.standing import Reset, Standing
from bridge.domain.status import Status
from bridge.engine.crew import Crew, Tie
from bridge.engine.cycle import Neighbours
from bridge.engine.desk import (
    ConflictError,
    Counted,
    Past,
    Seen,
    UnknownTriggerError,
    check_cancel,
    refuse_to_skip,
    settled_cancel,
    settled_reset,
    told_of,
)
from bridge.engine.worker import Worker
from bridge.ports import StateStore
from bridge.signals import Signals

PAST_MAX = 1_000
"""Commands kept for the history, of all triggers together."""


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
        self._crew = Crew(neighbours, store, signals, random, Tie())
        self._standings: dict[TriggerName, Standing] = {}
        self._past: deque[Past] = deque(maxlen=PAST_MAX)
        self.is_ready = False
        signals.watch(self.statuses, neighbours.clock.now)

    def statuses(self) -> Sequence[Status]:
        """Of every worker, in the order of the configuration."""
        return [worker.status for worker in self._crew.workers.values()]

    def worker(self, name: TriggerName) -> Worker:
        """Raises UnknownTriggerError, and Retry while the workers are not started yet."""
        worker = self._crew.workers.get(name)
        if worker is None and not self.is_ready:
            raise _starting()
        if worker is None:
            raise UnknownTriggerError(name)
        return worker

    def names(self) -> Sequence[TriggerName]:
        """As the desk says."""
        if not (self._crew.workers or self.is_ready):
            raise _starting()
        return sorted(self._crew.workers)

    def seen(self, name: TriggerName) -> Seen:
        """As the desk says."""
        worker = self.worker(name)
        return Seen(plan=worker.plan, standing=worker.keeper.standing, status=worker.status, owner=self._name)

    def census(self, name: TriggerName) -> Census | None:
        """As the desk says."""
        return self.worker(name).census

    def counted(self, name: TriggerName) -> Counted:
        """As the desk says."""
        return Counted(
            taken=self.worker(name).census.taken(), by=self._name, at=self._neighbours.clock.now(), is_here=True
        )

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
            await self._end(list(self._crew.workers))

    async def apply(self, plans: Iterable[TriggerPlan]) -> None:
        """Take over a new configuration: workers of triggers that are gone end, new ones start, the others go on."""
        wanted = {plan.name: plan for plan in plans}
        # A name that now means another trigger of the platform is another worker: its memory is not the old one's.
        gone = [
            name
            for name, worker in self._crew.workers.items()
            if name not in wanted or wanted[name].ref != worker.plan.ref
        ]
        await self._end(gone)
        for name, plan in wanted.items():
            self._crew.begin(plan, partial(self._read_at_start, name))

    async def pause(self, name: TriggerName, by: str, reason: str) -> None:
        """Durable before it returns (D18). The pass in flight ends; no other begins."""
        await self._obey(self._command(name, Verb.PAUSE, by, reason))
        self.worker(name).wake()

    async def resume(self, name: TriggerName, by: str) -> None:
        """Ends a pause, and lets a trigger that stopped loudly try again."""
        await self._obey(self._command(name, Verb.RESUME, by))
        self.worker(name).resume()

    async def reset(self, name: TriggerName, reset: Reset) -> Reset:
        """Write the wish down; the trigger's worker carries it out (see engine.reset). One of a known id is that one.

        Raises as the desk says.
        """
        worker = self.worker(name)
        await refuse_to_skip(worker.plan, worker.keeper.standing, reset, self._neighbours)
        if why := conflict(worker.keeper.standing, reset):
            raise ConflictError(why)
        standing = await self._obey(self._command(name, Verb.RESET, reset.requested_by, reset.reason, reset))
        worker.wake()
        return settled_reset(standing, reset.id)

    async def cancel_reset(self, name: TriggerName, reset_id: str, by: str) -> Reset:
        """As the desk says. The pass in flight ends first."""
        worker = self.worker(name)
        check_cancel(worker.keeper.standing, name, reset_id)
        standing = await self._obey(replace(self._command(name, Verb.CANCEL_RESET, by), reset_id=reset_id))
        worker.wake()
        return settled_cancel(standing, name, reset_id)

    async def history(self, name: TriggerName, last: int) -> Sequence[Past]:
        """As the desk says; without a control topic they are kept as long as the process lives."""
        self.worker(name)
        return [past for past in self._past if past.command.trigger == name][-last:]

    def _command(self, name: TriggerName, verb: Verb, by: str, reason: str = "", reset: Reset | None = None) -> Command:
        at = self._neighbours.clock.now()
        return Command(id=uuid4().hex, trigger=name, verb=verb, by=by, at=at, reason=reason, reset=reset)

    async def _obey(self, command: Command) -> Standing:
        worker = self.worker(command.trigger)
        standing = await worker.keeper.change(lambda standing: obeyed(standing, command))
        self._past.append(Past(command=command, offset=None))
        self._signals.commanded(command.trigger, command.verb.value, command.by, told_of(command))
        return standing

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

    def _read_at_start(self, name: TriggerName) -> Standing:
        return self._standings.get(name, Standing())

    async def _end(self, names: Sequence[TriggerName]) -> None:
        ended = {name: self._crew.workers[name] for name in names}
        await self._crew.end(names, self._stop_timeout_s)
        # One that comes back by a later reload goes on from here, not from what was read at start.
        self._standings.update({name: worker.keeper.standing for name, worker in ended.items()})


def _starting() -> Retry:
    return Retry("the workers are not started: their standings are being read", code="starting")
