"""Names of metrics and spans are a contract (design section 9), and hold no message text (I10)."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from bridge.domain.delivery import Outcome
from bridge.domain.errors import Retry
from bridge.domain.model import Generation
from bridge.domain.standing import Reset, ResetPhase
from bridge.domain.status import Status
from bridge.engine.cycle import run_cycle
from bridge.signals import Signals
from tests.fakes.clock import START
from tests.fakes.plans import a_plan, a_route
from tests.fakes.signals import ListLogger
from tests.unit.engine.world import World

METRICS = {
    "bridge_results_fetched": ("", "sum", {"trigger"}),
    "bridge_records_published": ("", "sum", {"trigger", "route", "topic"}),
    "bridge_duplicates_skipped": ("", "sum", {"trigger"}),
    "bridge_dead_letters": ("", "sum", {"trigger", "reason"}),
    "bridge_shadow_matches": ("", "sum", {"trigger", "route"}),
    "bridge_results_unmatched": ("", "sum", {"trigger"}),
    "bridge_platform_requests": ("", "sum", {"op", "code"}),
    "bridge_resets": ("", "sum", {"trigger", "phase"}),
    "bridge_producers_abandoned": ("", "sum", {"reason"}),
    "bridge_batches_held": ("", "sum", {"trigger", "reason"}),
    "bridge_ledger_bypassed": ("", "sum", {"trigger"}),
    "bridge_in_flight_records": ("", "sum", {"trigger"}),
    "bridge_batch_seconds": ("s", "histogram", {"trigger", "step"}),
    "bridge_batch_size": ("", "histogram", {"trigger"}),
    "bridge_label_probability": ("", "histogram", {"trigger", "route"}),
    "bridge_lag_seconds": ("s", "gauge", {"trigger"}),
    "bridge_seconds_since_advance": ("", "gauge", {"trigger"}),
    "bridge_trigger_state": ("", "gauge", {"trigger", "state"}),
    "bridge_owned_triggers": ("", "gauge", set()),
}
"""Name: unit, kind and labels. A change here is a change of a contract: it wants a line in the changelog."""


class Seen:
    """Signals whose spans and metrics can be looked at."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        meters = MeterProvider(metric_readers=[self.reader])
        self.log = ListLogger()
        self.signals = Signals(meters.get_meter("test"), tracers.get_tracer("test"), self.log)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def metrics(self) -> dict[str, Any]:
        data = self.reader.get_metrics_data()
        assert isinstance(data, MetricsData)
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


async def run(world: World, seen: Seen) -> None:
    await run_cycle(world.plan, Generation(0), world.memory, world.neighbours, seen.signals)


async def test_a_pass_is_one_trace_with_its_steps_and_its_records_join_it() -> None:
    """D10."""
    world, seen = World(), Seen()
    world.upload(2)
    await run(world, seen)
    spans = seen.spans
    assert set(spans) == {"bridge.cycle", "fetch", "decide", "publish", "mark", "advance"}
    cycle = spans["bridge.cycle"]
    assert cycle.context is not None
    for name, span in spans.items():
        if name != "bridge.cycle":
            assert span.parent is not None
            assert span.parent.span_id == cycle.context.span_id
    for record in world.log.records:
        traceparent = dict(record.headers)["traceparent"].decode()
        version, trace_id, span_id, flags = traceparent.split("-")
        assert (version, trace_id, span_id) == ("00", f"{cycle.context.trace_id:032x}", f"{cycle.context.span_id:016x}")
        assert int(flags, 16) & 1, "sampled"


async def test_a_held_pass_shows_its_reason_on_the_span_and_no_text() -> None:
    """I10."""
    world, seen = World(), Seen()
    world.upload(2, text="a secret in the mail")
    world.log.fates[0] = (Outcome.UNKNOWN, False)
    with pytest.raises(Retry):
        await run(world, seen)
    cycle = seen.spans["bridge.cycle"]
    assert cycle.status.status_code is StatusCode.ERROR
    assert cycle.status.description == "unknown"
    everything = "".join(span.to_json() for span in seen.exporter.get_finished_spans()) + str(seen.metrics())
    assert "secret" not in everything


async def test_every_metric_has_its_name_unit_kind_and_labels() -> None:
    plan = a_plan(extra=(a_route("next", "Urgent", shadow=True),))
    world, seen = World(plan), Seen()
    seen.signals.watch(lambda: [world_status(world)], world.clock.now)
    world.upload(30)
    world.upload_raw(b'{"sequence_id":"bad","comment":17}')
    await run(world, seen)
    everything_else(seen.signals)
    found = {name: described(metric) for name, metric in seen.metrics().items()}
    assert found == METRICS


def world_status(world: World) -> Status:
    return Status(name=world.plan.name, last_advance=world.clock.now())


def everything_else(signals: Signals) -> None:
    name = a_plan().name
    signals.platform_answered("fetch", "200")
    signals.producer_abandoned("timeout")
    signals.ledger_bypassed(name, Retry("x", code="ledger_timeout"))
    signals.failed(name, Retry("x", code="timeout"), 1, 0.1)
    signals.reset_moved(
        name,
        Reset(id="r", to_comment_created_at=START, requested_at=START, requested_by="x", phase=ResetPhase.DONE),
    )


def described(metric: Any) -> tuple[str, str, set[str]]:
    kind = type(metric.data).__name__.lower()
    labels = {label for point in metric.data.data_points for label in point.attributes}
    return metric.unit, kind, labels


def test_repeats_of_a_failure_get_rarer_in_the_log() -> None:
    seen = Seen()
    for failures in range(1, 65):
        seen.signals.failed(a_plan().name, Retry("x", code="timeout"), failures, 1.0)
    assert len(seen.log.events("cycle_held")) == 7
