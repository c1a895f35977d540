"""Plans of triggers, briefly."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.domain.conditions import LabelHolds
from bridge.domain.labels import levels_of
from bridge.domain.model import TriggerName, TriggerRef
from bridge.domain.plan import DeadLetter, DeliveryMode, OnLedgerOutage, TriggerPlan
from bridge.domain.rules import MatchMode, Route, RuleSet

REF = TriggerRef(project="org1", dataset="collateral", trigger="dispute")


def a_route(name: str, label: str, low: float = 0.5, *, topic: str = "", shadow: bool = False) -> Route:
    return Route(name=name, topic=topic or f"rpa.{name}", when=LabelHolds(levels_of(label), low, 1.0), shadow=shadow)


def a_plan(
    routes: Mapping[str, str] | None = None,
    *,
    name: str = "disputes",
    mode: MatchMode = MatchMode.ALL,
    extra: tuple[Route, ...] = (),
    unmatched: str | None = "rpa.unrouted",
    dead_letter: str | None = "rpa.dead",
    share: float = 0.5,
    on_ledger_outage: OnLedgerOutage = OnLedgerOutage.HOLD,
    record_bytes_max: int = 900_000,
    batch_size: int = 512,
    ref: TriggerRef = REF,
    delivery: DeliveryMode = DeliveryMode.AT_LEAST_ONCE,
) -> TriggerPlan:
    """Routes by name, each with the label it needs at 0.5."""
    wanted = {"urgent": "Urgent"} if routes is None else routes
    return TriggerPlan(
        name=TriggerName(name),
        ref=ref,
        rules=RuleSet([*(a_route(route, label) for route, label in wanted.items()), *extra], mode),
        unmatched_topic=unmatched,
        dead_letter=DeadLetter(topic=dead_letter, stop_when_share_over=share) if dead_letter else None,
        on_ledger_outage=on_ledger_outage,
        record_bytes_max=record_bytes_max,
        batch_size=batch_size,
        delivery=delivery,
    )
