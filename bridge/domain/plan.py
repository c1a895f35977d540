"""What one trigger is to do, as the configuration says it, ready to run."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from bridge.domain.model import TriggerName, TriggerRef
from bridge.domain.rules import RuleSet

RECORD_BYTES_MAX_DEFAULT = 900_000
"""Under the broker's own default of 1,048,588 for a whole batch, with room for the batch's overhead (D13)."""


TOPIC_CHARS_MAX = 249
"""Kafka's own limit."""
_TOPIC_CHARS = re.compile(r"[a-zA-Z0-9._-]+")


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


class OnForeignReset(Enum):
    """What becomes of a position that somebody else moved back at the platform."""

    REPLAY = "replay"
    SKIP = "skip"


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
    on_foreign_reset: OnForeignReset = OnForeignReset.REPLAY
    record_bytes_max: int = RECORD_BYTES_MAX_DEFAULT

    @property
    def topics(self) -> frozenset[str]:
        """Every topic a result of this trigger can be published to."""
        routes = {route.topic for route in self.rules.routes if not route.shadow}
        others = {self.unmatched_topic, self.dead_letter.topic if self.dead_letter else None}
        return frozenset(topic for topic in routes | others if topic)

    def on_topics_with(self, prefix: str) -> TriggerPlan:
        """The same with every topic prefixed, dead letters too; the plan itself without a prefix."""
        if not prefix:
            return self
        routes = [replace(route, topic=prefix + route.topic) for route in self.rules.routes]
        return replace(
            self,
            rules=RuleSet(routes, self.rules.mode),
            unmatched_topic=prefix + self.unmatched_topic if self.unmatched_topic else None,
            dead_letter=replace(self.dead_letter, topic=prefix + self.dead_letter.topic) if self.dead_letter else None,
        )

    def why_not_prefixed(self, prefix: str) -> str:
        """Why a replay cannot go to topics with that prefix; empty where it can."""
        if not _TOPIC_CHARS.fullmatch(prefix):
            return f"topic_prefix {prefix!r} has characters no topic can have: only a-z A-Z 0-9 . _ - are allowed"
        prefixed = sorted(prefix + topic for topic in self.topics)
        for topic in prefixed:
            if len(topic) > TOPIC_CHARS_MAX:
                return f"the topic {topic} would have {len(topic)} characters, and Kafka takes {TOPIC_CHARS_MAX}"
            if topic in self.topics:
                return f"the topic {topic} is one of the trigger's own: the replay could not be told apart there"
        return ""
