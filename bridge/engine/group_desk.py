"""A replica's desk: it answers for every trigger, and what it is asked for becomes a command to the owner (D19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from bridge.domain.census import Census
from bridge.domain.commands import Command, Verb, conflict
from bridge.domain.counts import taken_of
from bridge.domain.errors import Retry
from bridge.domain.model import TriggerName
from bridge.domain.plan import TriggerPlan
from bridge.domain.standing import Reset, Standing
from bridge.domain.status import State, Status, is_stale
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
from bridge.engine.group import Member
from bridge.ports import Bulletin, Control
from bridge.signals import Signals

EFFECT_S_MAX = 3.0
"""How long an asker is kept waiting for the owner; a command that is durable by then is accepted, seen or not."""


class GroupDesk:
    """The same at every replica."""

    def __init__(
        self, member: Member, bulletin: Bulletin, control: Control, neighbours: Neighbours, signals: Signals
    ) -> None:
        self._member = member
        self._bulletin = bulletin
        self._control = control
        self._neighbours = neighbours
        self._clock = neighbours.clock
        self._signals = signals

    def names(self) -> Sequence[TriggerName]:
        """As the desk says."""
        self._ready()
        return sorted(self._member.plans)

    def seen(self, name: TriggerName) -> Seen:
        """As the desk says. What nobody has reported lately is told as stopped, with no owner."""
        plan = self._plan(name)
        worker = self._member.at_work(name)
        if worker is not None:
            return Seen(plan=plan, standing=worker.keeper.standing, status=worker.status, owner=self._member.name)
        standing, report = self._bulletin.standing(name), self._bulletin.report(name)
        if report is not None and not is_stale(report, self._clock.now()) and report.status.state is not State.STOPPED:
            return Seen(plan=plan, standing=standing, status=report.status, owner=report.owner)
        status = report.status if report else Status(name=name, generation=standing.generation)
        status = replace(status, state=State.STOPPED, reason="no replica works on it", next_attempt=None)
        return Seen(plan=plan, standing=standing, status=status, owner="")

    def census(self, name: TriggerName) -> Census | None:
        """As the desk says."""
        self._plan(name)
        return self._member.census(name)

    def counted(self, name: TriggerName) -> Counted:
        """As the desk says."""
        plan, now = self._plan(name), self._clock.now()
        census = self._member.census(name)
        if census is not None:
            return Counted(taken=census.taken(), by=self._member.name, at=now, is_here=True)
        told = self._bulletin.counts(name)
        taken = taken_of(plan.rules, told) if told else None
        if told is None or taken is None:
            return Counted(taken=Census(plan.rules, now).taken())
        return Counted(taken=taken, by=told.owner, at=told.at)

    async def pause(self, name: TriggerName, by: str, reason: str) -> None:
        """As the desk says."""
        await self._ask(self._command(name, Verb.PAUSE, by, reason))

    async def resume(self, name: TriggerName, by: str) -> None:
        """As the desk says."""
        await self._ask(self._command(name, Verb.RESUME, by))

    async def reset(self, name: TriggerName, reset: Reset) -> Reset:
        """As the desk says. Of two that are asked for at the same time at two replicas the owner takes the first."""
        plan, standing = self._plan(name), self._bulletin.standing(name)
        known = next((known for known in standing.resets if known.id == reset.id), None)
        await refuse_to_skip(plan, standing, reset, self._neighbours)
        if known is not None:
            return settled_reset(standing, known.id)
        if why := conflict(standing, reset):
            raise ConflictError(why)
        after = await self._ask(self._command(name, Verb.RESET, reset.requested_by, reset.reason, reset))
        if after is None or all(known.id != reset.id for known in after.resets):
            return reset
        return settled_reset(after, reset.id)

    async def cancel_reset(self, name: TriggerName, reset_id: str, by: str) -> Reset:
        """As the desk says; one whose owner has not got to it yet is told as it stands."""
        self._plan(name)
        standing = self._bulletin.standing(name)
        check_cancel(standing, name, reset_id)
        after = await self._ask(replace(self._command(name, Verb.CANCEL_RESET, by), reset_id=reset_id))
        return settled_cancel(after or standing, name, reset_id)

    async def history(self, name: TriggerName, last: int) -> Sequence[Past]:
        """As the desk says."""
        self._plan(name)
        return [
            Past(command=command, offset=place.offset) for place, command in await self._control.history(name, last)
        ]

    async def _ask(self, command: Command) -> Standing | None:
        """The standing in which it was obeyed; None where its owner has not done it in time, which it will."""
        self._plan(command.trigger)
        offset = await self._control.append(command)
        self._signals.commanded(command.trigger, command.verb.value, command.by, told_of(command))
        ends_s = self._clock.monotonic_s() + EFFECT_S_MAX
        while (left_s := ends_s - self._clock.monotonic_s()) > 0:
            changed = self._bulletin.changed()
            standing = self._bulletin.standing(command.trigger)
            if standing.obeyed is not None and standing.obeyed.offset >= offset:
                return standing
            await self._clock.wait(changed, left_s)
        return None

    def _command(self, name: TriggerName, verb: Verb, by: str, reason: str = "", reset: Reset | None = None) -> Command:
        at = self._clock.now()
        return Command(id=uuid4().hex, trigger=name, verb=verb, by=by, at=at, reason=reason, reset=reset)

    def _plan(self, name: TriggerName) -> TriggerPlan:
        self._ready()
        plan = self._member.plans.get(name)
        if plan is None:
            raise UnknownTriggerError(name)
        return plan

    def _ready(self) -> None:
        if not self._member.has_seen_all:
            raise Retry("the standings of the triggers are being read", code="starting")
