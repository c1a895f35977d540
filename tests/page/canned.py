"""A desk with as many triggers as wanted, in every state, that work at a rate of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.adapters.clock import SystemClock
from bridge.domain.census import Census
from bridge.domain.conditions import LabelHolds
from bridge.domain.model import Generation, TriggerName, TriggerRef
from bridge.domain.plan import TriggerPlan
from bridge.domain.rules import Route, RuleSet
from bridge.domain.standing import Pause, Reset, Standing
from bridge.domain.status import State, Status
from bridge.engine.desk import Counted, Past, Seen, UnknownResetError, UnknownTriggerError

STATES = list(State)
REASONS = {
    State.FAILED: "more than 50% of the recent results are dead letters (bad_labels 31); the position is held",
    State.BLOCKED: "the topic rpa.trades does not exist; create it, or let the bridge (topics.create)",
    State.THROTTLED: "the platform asks to wait",
    State.PAUSED: "paused by operate: month end",
}


class CannedDesk:
    """Triggers named `t-0000` onwards; the state of each is by its number. `told`: of thresholds."""

    def __init__(self, count: int) -> None:
        self._began = SystemClock().monotonic_s()
        self._places = {TriggerName(f"t-{place:04}"): place for place in range(count)}
        self.told: Counted | None = None
        self._plans = {name: a_plan(name) for name in self._places}

    def names(self) -> Sequence[TriggerName]:
        return list(self._places)

    def seen(self, name: TriggerName) -> Seen:
        if name not in self._places:
            raise UnknownTriggerError(name)
        place = self._places[name]
        state = STATES[place % len(STATES)] if place < 2 * len(STATES) else State.RUNNING if place % 3 else State.IDLE
        now = datetime.now(UTC)
        elapsed_s = SystemClock().monotonic_s() - self._began
        is_busy = state in (State.RUNNING, State.REPLAYING)
        wave = 1 + (int(elapsed_s + place) % 7) / 7
        status = Status(
            name=name,
            state=state,
            reason=REASONS.get(state, ""),
            results=int(elapsed_s * (place % 50) * wave) if is_busy else place * 17,
            dead_letters={"too_large": 3} if place % 11 == 0 else {},
            oldest_pending=now - timedelta(seconds=place % 400 + 2) if is_busy or state in REASONS else None,
        )
        return Seen(plan=self._plans[name], standing=standing_of(state, now), status=status, owner=f"pod-{place % 3}")

    def census(self, name: TriggerName) -> Census | None:
        return None

    def counted(self, name: TriggerName) -> Counted:
        return self.told or Counted(taken=Census(self._plans[name].rules, datetime.now(UTC)).taken())

    async def pause(self, name: TriggerName, by: str, reason: str) -> None:
        self.seen(name)

    async def resume(self, name: TriggerName, by: str) -> None:
        self.seen(name)

    async def reset(self, name: TriggerName, reset: Reset) -> Reset:
        return reset

    async def cancel_reset(self, name: TriggerName, reset_id: str, by: str) -> Reset:
        raise UnknownResetError(name, reset_id)

    async def history(self, name: TriggerName, last: int) -> Sequence[Past]:
        return []


def a_plan(name: TriggerName) -> TriggerPlan:
    routes = [Route(name="all", topic=f"rpa.{name}", when=LabelHolds(("Trade",), 0.5))]
    return TriggerPlan(name=name, ref=TriggerRef(project="org1", dataset="mail", trigger=name), rules=RuleSet(routes))


def standing_of(state: State, now: datetime) -> Standing:
    standing = Standing(generation=Generation(1))
    if state is State.PAUSED:
        return replace(standing, pause=Pause(by="operate", at=now, reason="month end"))
    if state is State.REPLAYING:
        reset = Reset(id="r1", to_comment_created_at=now, requested_at=now, requested_by="operate", replayed=1234)
        return replace(standing, resets=(reset,))
    return standing
