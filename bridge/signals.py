"""Floor 1: what is seen of the work. One method per notable event: log line, metric and span attributes together.

Names of metrics and spans are a contract (design section 9) and live only here. Labels are bounded: triggers, routes
and topics come from the configuration, reasons and codes from our own closed lists. No message text anywhere (I10).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import perf_counter
from traceback import extract_tb
from typing import Any, Protocol

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.trace import (
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_span_id,
    format_trace_id,
)

from bridge.domain.decide import Decision
from bridge.domain.delivery import Delivery, Outcome, Receipt
from bridge.domain.errors import Blocked, BridgeError, StopTrigger
from bridge.domain.model import Batch, TriggerName
from bridge.domain.standing import Reset
from bridge.domain.status import State, Status

STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_SIZES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 512, 1024)
PROBABILITIES = tuple(tenth / 20 for tenth in range(1, 20))


class Logger(Protocol):
    """What we use of structlog's bound logger."""

    def bind(self, **fields: Any) -> Logger: ...
    def debug(self, event: str, **fields: Any) -> None: ...
    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...
    def error(self, event: str, **fields: Any) -> None: ...


def _lag_s(status: Status, now: datetime) -> float:
    return max(0.0, (now - status.oldest_pending).total_seconds()) if status.oldest_pending else 0.0


def _since_advance_s(status: Status, now: datetime) -> float | None:
    return max(0.0, (now - status.last_advance).total_seconds()) if status.last_advance else None


def _states(statuses: Iterable[Status]) -> list[Observation]:
    return [
        Observation(int(status.state is state), {"trigger": status.name, "state": state.value})
        for status in statuses
        for state in State
    ]


# The exporter appends a unit that the name does not end with, so one stands only where the contract has it.
GAUGES = (
    ("bridge_lag_seconds", "s", "Age of the oldest result not yet advanced, as last seen", _lag_s),
    ("bridge_seconds_since_advance", "", "Since this process last advanced the trigger", _since_advance_s),
)


class Signals:
    """Made once, in the wiring."""

    def __init__(self, meter: Meter, tracer: Tracer, log: Logger) -> None:
        self._tracer = tracer
        self._log = log
        count, histogram = meter.create_counter, meter.create_histogram
        self._fetched = count("bridge_results_fetched", "", "Results fetched, repeats after a hold included")
        self._published = count("bridge_records_published", "", "Records acked by every in-sync replica")
        self._skipped = count("bridge_duplicates_skipped", "", "Deliveries that were marked already")
        self._dead = count("bridge_dead_letters", "", "Dead letters acked, by reason")
        self._shadowed = count("bridge_shadow_matches", "", "Results a shadow route would have taken")
        self._unmatched = count("bridge_results_unmatched", "", "Results no live route took")
        self._requests = count("bridge_platform_requests", "", "Answers of the platform, by operation and code")
        self._resets = count("bridge_resets", "", "Resets, by the phase they came to")
        self._abandoned = count("bridge_producers_abandoned", "", "Producers given up after an unknown outcome")
        self._held = count("bridge_batches_held", "", "Batches whose position was held, by reason")
        self._bypassed = count("bridge_ledger_bypassed", "", "Batches published without their ledger, by choice")
        self._seconds = histogram(
            "bridge_batch_seconds", "s", "Seconds per step", explicit_bucket_boundaries_advisory=STEP_SECONDS
        )
        self._sizes = histogram(
            "bridge_batch_size", "", "Results per batch", explicit_bucket_boundaries_advisory=BATCH_SIZES
        )
        self._probability = histogram(
            "bridge_label_probability",
            "",
            "Probabilities of the labels that matched, per route",
            explicit_bucket_boundaries_advisory=PROBABILITIES,
        )
        self._in_flight = meter.create_up_down_counter(
            "bridge_in_flight_records", "", "Records handed to the broker and not yet answered for"
        )
        self._meter = meter

    def watch(self, statuses: Callable[[], Iterable[Status]], now: Callable[[], datetime]) -> None:
        """Register the gauges, which are read from the workers' statuses when somebody scrapes."""

        def observe(read: Callable[[Status, datetime], float | None]) -> Callable[[CallbackOptions], list[Observation]]:
            def observed(_: CallbackOptions) -> list[Observation]:
                read_now = [(status.name, read(status, now())) for status in statuses()]
                return [Observation(value, {"trigger": name}) for name, value in read_now if value is not None]

            return observed

        for name, unit, help_, read in GAUGES:
            self._meter.create_observable_gauge(name, [observe(read)], unit, help_)
        self._meter.create_observable_gauge(
            "bridge_trigger_state", [lambda _: _states(statuses())], "", "1 for the state a trigger is in"
        )
        self._meter.create_observable_gauge(
            "bridge_owned_triggers",
            [lambda _: [Observation(sum(1 for _ in statuses()))]],
            "",
            "Triggers whose worker runs in this process",
        )

    @contextmanager
    def cycle(self, trigger: TriggerName) -> Iterator[str]:
        """The span of one pass; gives its `traceparent`, which each record carries (D10)."""
        with self._tracer.start_as_current_span(
            "bridge.cycle",
            kind=SpanKind.INTERNAL,
            attributes={"bridge.trigger": trigger},
            # A message may quote the platform; the code never does (I10).
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield traceparent(span)
            except BridgeError as error:
                span.set_status(StatusCode.ERROR, error.code)
                raise

    @contextmanager
    def step(self, trigger: TriggerName, step: str) -> Iterator[Span]:
        """The span and the seconds of one step of a pass."""
        began = perf_counter()
        kind = SpanKind.PRODUCER if step == "publish" else SpanKind.CLIENT
        with self._tracer.start_as_current_span(
            step,
            kind=SpanKind.INTERNAL if step == "decide" else kind,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            finally:
                self._seconds.record(perf_counter() - began, {"trigger": trigger, "step": step})

    def fetched(self, trigger: TriggerName, batch: Batch) -> None:
        """A batch has come. Empty polls are counted by size and not logged."""
        self._sizes.record(len(batch.results), {"trigger": trigger})
        if batch.results:
            self._fetched.add(len(batch.results), {"trigger": trigger})

    @contextmanager
    def publishing(self, trigger: TriggerName, records: int) -> Iterator[None]:
        """The step that has records in flight."""
        self._in_flight.add(records, {"trigger": trigger})
        try:
            with self.step(trigger, "publish"):
                yield
        finally:
            self._in_flight.add(-records, {"trigger": trigger})

    def published(self, trigger: TriggerName, deliveries: Sequence[Delivery], receipts: Sequence[Receipt]) -> None:
        """Receipts have come: count the acked ones."""
        acked: Counter[tuple[str, str]] = Counter()
        for delivery, receipt in zip(deliveries, receipts, strict=True):
            if receipt.outcome is Outcome.ACKED:
                acked[delivery.route, delivery.topic] += 1
                if delivery.dead_letter_reason:
                    self._dead.add(1, {"trigger": trigger, "reason": delivery.dead_letter_reason})
        for (route, topic), records in acked.items():
            self._published.add(records, {"trigger": trigger, "route": route, "topic": topic})

    def advanced(
        self, trigger: TriggerName, batch: Batch, decision: Decision, sent: int, seconds: float, generation: int
    ) -> None:
        """The position has moved: the one wide line of a batch."""
        skipped = len(decision.deliveries) - sent
        self._skipped.add(skipped, {"trigger": trigger})
        self._unmatched.add(decision.unmatched, {"trigger": trigger})
        for route, results in decision.shadowed.items():
            self._shadowed.add(results, {"trigger": trigger, "route": route})
        for route, probabilities in decision.probabilities.items():
            for probability in probabilities:
                self._probability.record(probability, {"trigger": trigger, "route": route})
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
        self._held.add(1, {"trigger": trigger, "reason": error.code})
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
        self._held.add(1, {"trigger": trigger, "reason": "internal"})
        # Where it happened, but not its words: an error of a library may quote the value it tripped over (I10).
        where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]
        self._log.error("cycle_defect", trigger=trigger, error_type=type(error).__name__, where=where)

    def state_changed(self, trigger: TriggerName, before: State, after: State, reason: str) -> None:
        """A worker is in another state."""
        self._log.info("state_changed", trigger=trigger, before=before.value, after=after.value, reason=reason)

    def ledger_bypassed(self, trigger: TriggerName, error: BridgeError) -> None:
        """`on_ledger_outage: publish` has been taken at its word (D5)."""
        self._bypassed.add(1, {"trigger": trigger})
        self._log.warning("ledger_bypassed", trigger=trigger, code=error.code)

    def reset_moved(self, trigger: TriggerName, reset: Reset) -> None:
        """A reset has come to another phase."""
        self._resets.add(1, {"trigger": trigger, "phase": reset.phase.value})
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

    def platform_answered(self, op: str, code: str) -> None:
        """One request to the platform has ended; `code` is the HTTP status or our word for having none."""
        self._requests.add(1, {"op": op, "code": code})

    def producer_abandoned(self, reason: str) -> None:
        """A producer was given up, since what it still holds is unknown (D14)."""
        self._abandoned.add(1, {"reason": reason})
        self._log.warning("producer_abandoned", reason=reason)

    def service(self, event: str, **fields: object) -> None:
        """Started, stopping, stopped, reloaded: the process itself."""
        self._log.info(event, **fields)

    def service_failed(self, event: str, **fields: object) -> None:
        """The process itself, where a human is needed."""
        self._log.error(event, **fields)


def traceparent(span: Span) -> str:
    """W3C Trace Context, section 3.2; empty where no tracer is set up."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    trace, parent = format_trace_id(context.trace_id), format_span_id(context.span_id)
    return f"00-{trace}-{parent}-{int(context.trace_flags):02x}"
