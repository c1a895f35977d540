"""Metrics through the SDK, pulled by Prometheus; pushed by OTLP too where OTEL_METRICS_EXPORTER says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import time_ns
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    Counter,
    Exemplar,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from typing_extensions import override

from bridge.app.telemetry.traces import otlp_exporter, protocol
from bridge.domain.errors import Fatal
from bridge.signals.histograms import Counted
from bridge.signals.histograms import Histogram as OurHistogram

SERIES_MAX = 200_000
"""Of one metric. The SDK's own default of 2,000 folds the states of more than 200 triggers into one nameless series."""

KINDS = (Counter, ObservableCounter, ObservableUpDownCounter, ObservableGauge)
"""Of instruments that there are."""


class Joined:
    """Adds what is counted outside of the SDK to what it collects (see signals.histograms)."""

    def __init__(self) -> None:
        self.histograms: Sequence[OurHistogram] = ()
        self._began_ns = time_ns()

    def to(self, data: MetricsData, exemplars_since_ns: int | None = None) -> MetricsData:
        """The same data and ours, with what exemplars are not older than that; unchanged while nothing was counted."""
        now_ns = time_ns()
        since_ns = now_ns if exemplars_since_ns is None else exemplars_since_ns
        metrics = [
            self._metric(histogram, counted, now_ns, since_ns)
            for histogram in self.histograms
            if (counted := histogram.snapshot())
        ]
        if not metrics:
            return data
        first, *others = data.resource_metrics
        scope, *scopes = first.scope_metrics
        joined = replace(scope, metrics=[*scope.metrics, *metrics])
        return replace(data, resource_metrics=[replace(first, scope_metrics=[joined, *scopes]), *others])

    def _metric(self, histogram: OurHistogram, counted: Sequence[Counted], now_ns: int, since_ns: int) -> Metric:
        points = [
            HistogramDataPoint(
                attributes=dict(one.labels),
                start_time_unix_nano=self._began_ns,
                time_unix_nano=now_ns,
                count=sum(one.buckets),
                sum=one.sum,
                bucket_counts=one.buckets,
                explicit_bounds=histogram.bounds,
                min=one.min,
                max=one.max,
                exemplars=[
                    Exemplar({}, each.value, each.time_ns, each.span_id, each.trace_id)
                    for each in one.exemplars
                    if each.time_ns >= since_ns
                ],
            )
            for one in counted
        ]
        cumulative = HistogramData(data_points=points, aggregation_temporality=AggregationTemporality.CUMULATIVE)
        return Metric(name=histogram.name, description=histogram.description, unit=histogram.unit, data=cumulative)


class JoinedPrometheusReader(PrometheusMetricReader):
    """For `/metrics`, which has no exemplars."""

    def __init__(self, joined: Joined) -> None:
        limits: dict[Any, int] = dict.fromkeys(KINDS, SERIES_MAX)
        super().__init__(scope_info_enabled=False, cardinality_limits=limits)
        self._joined = joined

    @override
    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        super()._receive_metrics(self._joined.to(metrics_data), timeout_millis)


class JoinedExporter(MetricExporter):
    """For OTLP."""

    def __init__(self, exporter: MetricExporter, joined: Joined) -> None:
        super().__init__()
        self._exporter = exporter
        self._joined = joined
        self._exported_ns = 0

    @override
    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        since_ns, self._exported_ns = self._exported_ns, time_ns()
        return self._exporter.export(self._joined.to(metrics_data, since_ns), timeout_millis, **kwargs)

    @override
    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    @override
    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._exporter.shutdown(timeout_millis)


def make_meters(
    resource: Resource, joined: Joined, env: Mapping[str, str], *, has_traces: bool = False
) -> MeterProvider:
    """`/metrics` is always there. Raises Fatal for an exporter or a protocol that is not.

    Exemplars lead from a figure to its trace, so without traces none are picked.
    """
    named = {name.strip() for name in env.get("OTEL_METRICS_EXPORTER", "").split(",")} - {""}
    if unknown := named - {"prometheus", "otlp", "none"}:
        raise Fatal(
            f"OTEL_METRICS_EXPORTER={','.join(sorted(unknown))}: expected prometheus, otlp or none",
            code="metrics_exporter",
        )
    exporter: MetricExporter | None = None
    if "otlp" in named:
        exporter = otlp_exporter(protocol(env, "METRICS"), "metric_exporter", "OTLPMetricExporter")
    readers: list[MetricReader] = [JoinedPrometheusReader(joined)]
    if exporter is not None:
        readers.append(PeriodicExportingMetricReader(JoinedExporter(exporter, joined)))
    return MeterProvider(
        metric_readers=readers,
        resource=resource,
        exemplar_filter=None if has_traces else AlwaysOffExemplarFilter(),
        shutdown_on_exit=False,
    )
