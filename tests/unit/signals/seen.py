"""Signals whose spans, metrics and log lines can be looked at."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import SpanContext

from bridge.app.telemetry.traces import LINKS_MAX
from bridge.signals import Signals, Tracing
from tests.fakes.signals import ListLogger


class Seen:
    def __init__(self, sampler: Sampler | None = None, tracing: Tracing | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        tracers = TracerProvider(sampler=sampler, span_limits=SpanLimits(max_links=LINKS_MAX))
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        meters = MeterProvider(metric_readers=[self.reader])
        self.log = ListLogger()
        self.signals = Signals(meters.get_meter("test"), tracers.get_tracer("test"), self.log, tracing)

    @property
    def finished(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.finished if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def metrics(self) -> dict[str, Any]:
        data = self.reader.get_metrics_data()
        assert isinstance(data, MetricsData)
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def everything(self) -> str:
        """As text, to look for what must not be there."""
        spans = "".join(span.to_json() for span in self.finished)
        histograms = [histogram.snapshot() for histogram in self.signals.histograms]
        return f"{spans} {self.metrics()} {self.log.lines} {histograms}"


def context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def parent_id(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None
