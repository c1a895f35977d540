"""What one trigger is to do, as the configuration says it, ready to run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bridge.domain.model import TriggerName, TriggerRef
from bridge.domain.rules import RuleSet

RECORD_BYTES_MAX_DEFAULT = 900_000
"""Under the broker's own default of 1,048,588 for a whole batch, with room for the batch's overhead (D13)."""


class KeyKind(Enum):
    """Where a record's key comes from (design section 5)."""

    COMMENT_UID = "comment.uid"
    THREAD_ID = "comment.thread_id"
    USER_PROPERTY = "user_properties"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFrom:
    """`user_property` is the full name with its type prefix where `kind` is USER_PROPERTY, empty otherwise."""

    kind: KeyKind = KeyKind.COMMENT_UID
    user_property: str = ""


class DeliveryMode(Enum):
    """Per trigger (D3)."""

    AT_LEAST_ONCE = "at_least_once"
    EXACTLY_ONCE = "exactly_once"


class OnLedgerOutage(Enum):
    """What an at-least-once trigger does without its ledger (D5)."""

    HOLD = "hold"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """Where poisonous results go. Past `stop_when_share_over` of the recent results the trigger stops (I8)."""

    topic: str
    stop_when_share_over: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerPlan:
    """`unmatched_topic` and `dead_letter` are None where the configuration names none."""

    name: TriggerName
    ref: TriggerRef
    rules: RuleSet
    key: KeyFrom = KeyFrom()
    unmatched_topic: str | None = None
    dead_letter: DeadLetter | None = None
    batch_size: int = 512
    poll_interval_s: float = 5.0
    delivery: DeliveryMode = DeliveryMode.AT_LEAST_ONCE
    on_ledger_outage: OnLedgerOutage = OnLedgerOutage.HOLD
    record_bytes_max: int = RECORD_BYTES_MAX_DEFAULT

    @property
    def topics(self) -> frozenset[str]:
        """Every topic a result of this trigger can be published to."""
        routes = {route.topic for route in self.rules.routes if not route.shadow}
        others = {self.unmatched_topic, self.dead_letter.topic if self.dead_letter else None}
        return frozenset(topic for topic in routes | others if topic)
