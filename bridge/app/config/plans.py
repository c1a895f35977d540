"""From a trigger of the file to the plan that is run."""

from __future__ import annotations

from typing import TypeVar, assert_never

from bridge.app.config import conditions as shape
from bridge.app.config.conditions import When
from bridge.app.config.file import RouteSection, TriggerOptions, TriggerSection, UnmatchedSection
from bridge.domain.model import TriggerName, TriggerRef
from bridge.domain.plan import (
    RECORD_BYTES_MAX_DEFAULT,
    DeadLetter,
    DeliveryMode,
    KeyFrom,
    OnForeignReset,
    OnLedgerOutage,
    TriggerPlan,
)
from bridge.domain.rules import (
    AllOf,
    Always,
    AnyOf,
    Condition,
    EntityPresent,
    LabelHolds,
    MatchMode,
    Not,
    Route,
    RuleSet,
    UserPropertyHolds,
)

T = TypeVar("T")

BATCH_SIZE_DEFAULT = 512
POLL_INTERVAL_DEFAULT_S = 5.0


def plan_of(trigger: TriggerSection, defaults: TriggerOptions) -> TriggerPlan:
    """One trigger, with what `defaults` say where it is silent."""
    unmatched = _first(trigger.unmatched, defaults.unmatched, "drop")
    dead_letter = _first(trigger.dead_letter, defaults.dead_letter, None)
    match = _first(trigger.match, defaults.match, "all")
    return TriggerPlan(
        name=TriggerName(trigger.name or trigger.trigger),
        ref=TriggerRef(project=trigger.project, dataset=trigger.dataset, trigger=trigger.trigger),
        rules=RuleSet([_route(route) for route in trigger.routes], MatchMode(match)),
        key=_first(trigger.key, defaults.key, KeyFrom()),
        unmatched_topic=unmatched.topic if isinstance(unmatched, UnmatchedSection) else None,
        dead_letter=DeadLetter(topic=dead_letter.topic, stop_when_share_over=dead_letter.stop_when_share_over)
        if dead_letter
        else None,
        batch_size=_first(trigger.batch_size, defaults.batch_size, BATCH_SIZE_DEFAULT),
        poll_interval_s=_first(trigger.poll_interval, defaults.poll_interval, POLL_INTERVAL_DEFAULT_S),
        delivery=DeliveryMode(_first(trigger.delivery, defaults.delivery, "at_least_once")),
        on_ledger_outage=OnLedgerOutage(_first(trigger.on_ledger_outage, defaults.on_ledger_outage, "hold")),
        on_foreign_reset=OnForeignReset(_first(trigger.on_foreign_reset, defaults.on_foreign_reset, "replay")),
        record_bytes_max=_first(trigger.record_bytes_max, defaults.record_bytes_max, RECORD_BYTES_MAX_DEFAULT),
    )


def _first(own: T | None, of_all: T | None, otherwise: T) -> T:
    return own if own is not None else of_all if of_all is not None else otherwise


def _route(route: RouteSection) -> Route:
    return Route(name=route.name, topic=route.topic, when=condition_of(route.when), shadow=route.shadow)


def condition_of(when: When) -> Condition:
    """The condition that a `when` writes."""
    match when:
        case shape.AllCondition(parts=parts):
            return AllOf(tuple(condition_of(part) for part in parts))
        case shape.AnyCondition(parts=parts):
            return AnyOf(tuple(condition_of(part) for part in parts))
        case shape.NotCondition(part=part):
            return Not(condition_of(part))
        case shape.LabelCondition():
            return _label(when)
        case shape.EntityCondition(entity=kind):
            return EntityPresent(kind)
        case shape.UserPropertyCondition():
            return UserPropertyHolds(name=when.user_property, one_of=when.one_of, minimum=when.min, maximum=when.max)
        case shape.AlwaysCondition():
            return Always()
        case _:
            assert_never(when)


def _label(when: shape.LabelCondition) -> LabelHolds:
    sentiment = when.sentiment or shape.SentimentRange()
    return LabelHolds(when.label, when.min, when.max, sentiment.min, sentiment.max)
