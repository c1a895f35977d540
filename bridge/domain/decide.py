"""Step 2: which records a batch becomes. Pure: the same batch, plan and generation give the same deliveries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridge.domain.delivery import Delivery, MarkKey, MarkKeys
from bridge.domain.errors import StopTrigger
from bridge.domain.model import Batch, Generation, Result, Undecodable
from bridge.domain.plan import DeadLetter, TriggerPlan
from bridge.domain.record import (
    DEAD_LETTER_ROUTE,
    DEAD_LETTER_TYPE,
    UNMATCHED_ROUTE,
    RecordWriter,
    bounded,
    is_surely_small,
    own_headers,
    record_bytes,
    spliced,
    text,
)
from bridge.domain.record_key import RecordKey, keyed_by
from bridge.domain.rules import MatchedLabel

TOO_LARGE = "too_large"
ERROR_MESSAGES = {
    TOO_LARGE: "the record is larger than record_bytes_max or than what the topic takes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a batch becomes. `deliveries` stand in the trigger's order; the rest is for counting.

    `shadowed` are results a shadow route would have taken; `unmatched` results no live route took; `dead_letters`
    counts them by reason; `probabilities` are those of the labels that matched, by route.
    """

    deliveries: Sequence[Delivery]
    shadowed: Mapping[str, int]
    unmatched: int
    dead_letters: Mapping[str, int]
    probabilities: Mapping[str, Sequence[float]]


NOTHING = Decision(deliveries=(), shadowed={}, unmatched=0, dead_letters={}, probabilities={})
"""What a page without results becomes."""


def decide(
    batch: Batch, plan: TriggerPlan, generation: Generation, refused: Mapping[MarkKey, str], traceparent: str
) -> Decision:
    """Route a batch. `refused` are deliveries the broker will not take as they are, with its reason (I8).

    Raises StopTrigger where a dead letter has no topic to go to: losing it is no choice.
    """
    table = _Table(plan, generation, refused, traceparent)
    for result in batch.results:
        if isinstance(result, Undecodable):
            table.park(result, result.reason, route="", topic="")
        else:
            table.route(result)
    return table.decision()


@dataclass(slots=True)
class _Table:
    plan: TriggerPlan
    generation: Generation
    refused: Mapping[MarkKey, str]
    traceparent: str
    writer: RecordWriter = field(init=False)
    marks: MarkKeys = field(init=False)
    key_of: RecordKey = field(init=False)
    deliveries: list[Delivery] = field(default_factory=list)
    shadowed: Counter[str] = field(default_factory=Counter)
    unmatched: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    probabilities: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.writer = RecordWriter(self.plan.name, self.plan.ref, self.generation, self.traceparent)
        self.marks = MarkKeys(self.plan.ref.identity, self.generation)
        self.key_of = keyed_by(self.plan.key)

    def route(self, result: Result) -> None:
        live = False
        for match in self.plan.rules.matches(result):
            route = match.route
            for label in match.matched:
                self.probabilities[route.name].append(label.probability)
            if route.shadow:
                self.shadowed[route.name] += 1
                continue
            live = True
            self.send(result, route.name, route.topic, match.matched)
        if not live:
            self.leave_unmatched(result)

    def leave_unmatched(self, result: Result) -> None:
        self.unmatched += 1
        if self.plan.unmatched_topic:
            self.send(result, UNMATCHED_ROUTE, self.plan.unmatched_topic, ())

    def send(self, result: Result, route: str, topic: str, matched: Sequence[MatchedLabel]) -> None:
        comment, sequence_id, bytes_max = result.comment, result.sequence_id, self.plan.record_bytes_max
        mark, key, writer = self.marks.of(sequence_id, route), self.key_of(comment), self.writer.on(route, topic)
        front, rest, shared, uid = writer.front(matched), spliced(result), writer.shared_headers, comment.uid
        names, texts = own_headers(mark, uid, comment.created_at)
        delivery = Delivery(mark, topic, route, key, front, rest, shared, names, texts, sequence_id, uid)
        is_small = is_surely_small(key, len(front) + len(rest), bytes_max) or record_bytes(delivery) <= bytes_max
        reason = self.refused.get(mark) if is_small else TOO_LARGE
        if reason:
            self.park(result, reason, route=route, topic=topic)
            return
        self.deliveries.append(delivery)

    def park(self, result: Result | Undecodable, reason: str, route: str, topic: str) -> None:
        """Make a dead letter of one delivery that cannot be; it is acked, marked and counted like any other (I8)."""
        dead_letter = self._dead_letter(reason)
        self.dead_letters[reason] += 1
        uid, created_at = map(bounded, _who(result))
        parked_route = f"{DEAD_LETTER_ROUTE}/{route}" if route else DEAD_LETTER_ROUTE
        mark = self.marks.of(result.sequence_id, parked_route)
        # One that its own topic would not take goes without the result: the identifiers fit anywhere.
        bytes_max = 0 if mark in self.refused else self.plan.record_bytes_max
        writer = self.writer.on(DEAD_LETTER_ROUTE, dead_letter.topic, DEAD_LETTER_TYPE)
        about = (
            ("bridge_error", text(reason)),
            ("bridge_error_message", text(ERROR_MESSAGES.get(reason, reason))),
            *((("bridge_original_topic", text(topic)),) if topic else ()),
        )
        names, texts = own_headers(mark, uid, created_at)
        self.deliveries.append(
            Delivery(
                mark=mark,
                topic=dead_letter.topic,
                route=DEAD_LETTER_ROUTE,
                key=text(uid) if uid else None,
                front=writer.dead_letter(result, reason, bytes_max),
                rest=b"",
                shared_headers=writer.shared_headers,
                own_names=names + tuple(name for name, _ in about),
                own_texts=texts + tuple(text for _, text in about),
                sequence_id=result.sequence_id,
                uid=uid,
                dead_letter_reason=reason,
            )
        )

    def _dead_letter(self, reason: str) -> DeadLetter:
        if self.plan.dead_letter is None:
            raise StopTrigger(
                f"a result cannot be routed ({reason}) and no dead_letter topic is configured: name one, then resume",
                code="no_dead_letter_topic",
            )
        return self.plan.dead_letter

    def decision(self) -> Decision:
        return Decision(
            deliveries=self.deliveries,
            shadowed=self.shadowed,
            unmatched=self.unmatched,
            dead_letters=self.dead_letters,
            probabilities=self.probabilities,
        )


def _who(result: Result | Undecodable) -> tuple[str, str]:
    if isinstance(result, Undecodable):
        return result.uid, result.created_at
    return result.comment.uid, result.comment.created_at
