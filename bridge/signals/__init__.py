"""Floor 1: what is seen of the work. One method per notable event: log line, metric and span attributes together.

Names of metrics and spans are a contract (design section 9) and live only here. Labels are bounded: triggers, routes
and topics come from the configuration, reasons and codes from our own closed lists. No message text anywhere (I10).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from traceback import extract_tb

from opentelemetry.metrics import Meter
from opentelemetry.trace import SpanKind, Tracer, get_current_span

from bridge.domain.decide import Decision
from bridge.domain.delivery import Delivery, Receipt, acked_of
from bridge.domain.errors import Blocked, BridgeError, StopTrigger
from bridge.domain.model import Batch, TriggerName
from bridge.domain.standing import Reset
from bridge.domain.status import State, Status
from bridge.signals.histograms import Histogram
from bridge.signals.instruments import Instruments, register_gauges
from bridge.signals.logger import Logger
from bridge.signals.messaging import Sending, Tracing, sending, traceparent
from bridge.signals.spanning import Cycle, Spanning, Step, step_span

__all__ = ["Logger", "Signals", "Tracing", "traceparent"]


class Signals:
    """Made once, in the wiring."""

    def __init__(self, meter: Meter, tracer: Tracer, log: Logger, tracing: Tracing | None = None) -> None:
        self._meter = meter
        self._tracer = tracer
        self._log = log
        self._tracing = tracing or Tracing()
        self._count = Instruments(meter)

    @property
    def histograms(self) -> Sequence[Histogram]:
        """To be exported with what the meter has."""
        return self._count.histograms

    def watch(self, statuses: Callable[[], Iterable[Status]], now: Callable[[], datetime]) -> None:
        """Register the gauges, which are read from the workers' statuses when somebody scrapes."""
        register_gauges(self._meter, statuses, now)

    def cycle(self, trigger: TriggerName) -> Cycle:
        """The span of one pass; gives its `traceparent`, which each record carries where it has no span of its own."""
        return Cycle(self._tracer, trigger)

    def step(self, trigger: TriggerName, step: str) -> Step:
        """The span and the seconds of one step of a pass."""
        return Step(self._tracer, step, self._count.seconds.of(trigger, step))

    @contextmanager
    def resetting(self, trigger: TriggerName, reset_id: str) -> Iterator[None]:
        """The span of what is done about a reset at one go; one that is interrupted and resumed has several."""
        about = {"bridge.trigger": trigger, "bridge.reset_id": reset_id}
        with Spanning(self._tracer, "bridge.reset", SpanKind.INTERNAL, about):
            yield

    def reset_step(self, step: str) -> Spanning:
        """One step of it."""
        return step_span(self._tracer, step)

    def fetched(self, trigger: TriggerName, batch: Batch) -> None:
        """A batch has come. Empty polls are counted by size and not logged."""
        self._count.sizes.of(trigger).add(len(batch.results), get_current_span())
        if batch.results:
            self._count.fetched.add(len(batch.results), trigger)

    @contextmanager
    def publishing(self, trigger: TriggerName, deliveries: Sequence[Delivery]) -> Iterator[Sending]:
        """The step that has records in flight; what is to be sent is in what it gives. Nothing to send is no step."""
        if not deliveries:
            yield Sending(deliveries)
            return
        self._count.in_flight.add(len(deliveries), trigger)
        try:
            with self.step(trigger, "publish"), sending(self._tracer, deliveries, self._tracing) as handed:
                yield handed
        finally:
            self._count.in_flight.add(-len(deliveries), trigger)

    def published(self, trigger: TriggerName, deliveries: Sequence[Delivery], receipts: Sequence[Receipt]) -> None:
        """Receipts have come: count the acked ones."""
        acked = acked_of(deliveries, receipts)
        dead = [delivery.dead_letter_reason for delivery in acked if delivery.dead_letter_reason]
        for reason, records in Counter(dead).items():
            self._count.dead.add(records, {"trigger": trigger, "reason": reason})
        # In one pass a route has one topic: counting pairs of both takes twice as long.
        routes = [delivery.route for delivery in acked]
        for route, records in Counter(routes).items():
            self._count.published.add(records, trigger, route, acked[routes.index(route)].topic)

    def advanced(
        self, trigger: TriggerName, batch: Batch, decision: Decision, sent: int, seconds: float, generation: int
    ) -> None:
        """The position has moved: the one wide line of a batch."""
        skipped = len(decision.deliveries) - sent
        self._count.skipped.add(skipped, trigger)
        self._count.unmatched.add(decision.unmatched, trigger)
        for route, results in decision.shadowed.items():
            self._count.shadowed.add(results, trigger, route)
        for route, probabilities in decision.probabilities.items():
            self._count.probabilities.of(trigger, route).add_all(probabilities)
        self._log.info(
            "batch_advanced",
            trigger=trigger,
            generation=generation,
            results=len(batch.results),
            filtered=batch.filtered,
            published=sent,
            skipped_duplicates=skipped,
            unmatched=decision.unmatched,
            dead_letters=dict(decision.dead_letters),
            sequence_id=batch.sequence_id,
            seconds=round(seconds, 4),
        )

    def failed(self, trigger: TriggerName, error: BridgeError, failures_in_a_row: int, wait_s: float) -> None:
        """A cycle was held. WARN: nothing is lost; ERROR: a human is needed. Repeats get rarer by themselves."""
        self._count.held.add(1, {"trigger": trigger, "reason": error.code})
        fields = {
            "trigger": trigger,
            "code": error.code,
            "error": str(error),
            "failures_in_a_row": failures_in_a_row,
            "next_attempt_in_s": round(wait_s, 2),
        }
        if isinstance(error, StopTrigger):
            self._log.error("trigger_stopped", **fields)
        elif isinstance(error, Blocked):
            self._log.error("trigger_blocked", **fields)
        elif failures_in_a_row.bit_count() == 1:
            self._log.warning("cycle_held", **fields)

    def crashed(self, trigger: TriggerName, error: Exception) -> None:
        """A defect of ours: the trigger goes on by backing off, and says so where a human looks."""
        self._count.held.add(1, {"trigger": trigger, "reason": "internal"})
        # Where it happened, but not its words: an error of a library may quote the value it tripped over (I10).
        where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
        self._log.error("cycle_defect", trigger=trigger, error_type=type(error).__name__, where=where)

    def state_changed(self, trigger: TriggerName, before: State, after: State, reason: str) -> None:
        """A worker is in another state."""
        self._log.info("state_changed", trigger=trigger, before=before.value, after=after.value, reason=reason)

    def ledger_bypassed(self, trigger: TriggerName, error: BridgeError) -> None:
        """`on_ledger_outage: publish` has been taken at its word (D5)."""
        self._count.bypassed.add(1, {"trigger": trigger})
        self._log.warning("ledger_bypassed", trigger=trigger, code=error.code)

    def moved_back(self, trigger: TriggerName, policy: str, to: datetime | None) -> None:
        """Somebody else has reset the trigger at the platform; `policy` is what becomes of it."""
        self._count.platform_resets.add(1, {"trigger": trigger, "policy": policy})
        self._log.error(
            "reset_at_the_platform", trigger=trigger, policy=policy, to_comment_created_at=to.isoformat() if to else ""
        )

    def looked_into(self, trigger: TriggerName) -> None:
        """A page that looked moved back was not: its comments are old, and new to us."""
        self._log.info("page_looked_into", trigger=trigger)

    def reached_unwritten(self, trigger: TriggerName, error: BridgeError) -> None:
        """How far a trigger is could not be written down; it is tried again, and nothing waits for it."""
        self._log.warning("reached_unwritten", trigger=trigger, code=error.code)

    def reset_moved(self, trigger: TriggerName, reset: Reset) -> None:
        """A reset has come to another phase."""
        self._count.resets.add(1, {"trigger": trigger, "phase": reset.phase.value})
        self._log.info(
            "reset_moved",
            trigger=trigger,
            reset=reset.id,
            phase=reset.phase.value,
            to_comment_created_at=reset.to_comment_created_at.isoformat(),
            generation=reset.generation,
            replayed=reset.replayed,
            requested_by=reset.requested_by,
            error=reset.error,
        )

    def commanded(self, trigger: TriggerName, command: str, by: str, fields: Mapping[str, object]) -> None:
        """An operator asked for something: the audit line of who did what."""
        self._log.info("command_accepted", trigger=trigger, command=command, by=by, **fields)

    def obeyed(self, trigger: TriggerName, command: str, command_id: str, *, again: bool) -> None:
        """The owner has carried a command over into the standing; `again`: it had before, and did nothing."""
        self._log.info("command_obeyed", trigger=trigger, command=command, command_id=command_id, again=again)

    def assigned(self, owned: int, configured: int) -> None:
        """A rebalance has ended: so many triggers are owned here, and worked on."""
        self._count.rebalances.add(1)
        self._log.info("triggers_assigned", owned=owned, configured=configured)

    def revoked(self, at_work: int) -> None:
        """A rebalance has begun, or the seat in the group is left: all work here stops."""
        self._log.info("triggers_revoked", at_work=at_work)

    def platform_answered(self, op: str, code: str) -> None:
        """One request to the platform has ended; `code` is the HTTP status or our word for having none."""
        self._count.answers.add(1, op, code)
        if code.isdecimal():
            get_current_span().set_attribute("http.response.status_code", int(code))

    def producer_abandoned(self, reason: str) -> None:
        """A producer was given up, since what it still holds is unknown (D14)."""
        self._count.abandoned.add(1, {"reason": reason})
        self._log.warning("producer_abandoned", reason=reason)

    def service(self, event: str, **fields: object) -> None:
        """Started, stopping, stopped, reloaded: the process itself."""
        self._log.info(event, **fields)

    def service_failed(self, event: str, **fields: object) -> None:
        """The process itself, where a human is needed."""
        self._log.error(event, **fields)
