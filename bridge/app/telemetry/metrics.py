"""Metrics through the SDK, pulled by Prometheus; pushed by OTLP too where OTEL_METRICS_EXPORTER says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import time_ns
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    Counter,
    Histogram,
    MeterProvider,
    ObservableGauge,
    UpDownCounter,
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
from bridge.signals.probabilities import BOUNDS, HELP, NAME, Counted

SERIES_MAX = 200_000
"""Of one metric. The SDK's own default of 2,000 folds the states of more than 200 triggers into one nameless series."""


class Joined:
    """Adds what is counted outside of the SDK to what it collects (see signals.probabilities)."""

    def __init__(self) -> None:
        self.read: Callable[[], Sequence[Counted]] = tuple
        self._began_ns = time_ns()

    def to(self, data: MetricsData) -> MetricsData:
        """The same data and one metric more; unchanged while nothing was counted."""
        points = [self._point(counted, time_ns()) for counted in self.read()]
        if not points:
            return data
        cumulative = HistogramData(data_points=points, aggregation_temporality=AggregationTemporality.CUMULATIVE)
        metric = Metric(name=NAME, description=HELP, unit="", data=cumulative)
        first, *others = data.resource_metrics
        scope, *scopes = first.scope_metrics
        joined = replace(scope, metrics=[*scope.metrics, metric])
        return replace(data, resource_metrics=[replace(first, scope_metrics=[joined, *scopes]), *others])

    def _point(self, counted: Counted, now_ns: int) -> HistogramDataPoint:
        return HistogramDataPoint(
            attributes={"trigger": counted.trigger, "route": counted.route},
            start_time_unix_nano=self._began_ns,
            time_unix_nano=now_ns,
            count=sum(counted.buckets),
            sum=counted.sum,
            bucket_counts=counted.buckets,
            explicit_bounds=BOUNDS,
            min=0.0,
            max=1.0,
        )


class JoinedPrometheusReader(PrometheusMetricReader):
    """For `/metrics`."""

    def __init__(self, joined: Joined) -> None:
        limits: dict[Any, int] = dict.fromkeys((Counter, UpDownCounter, Histogram, ObservableGauge), SERIES_MAX)
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

    @override
    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        return self._exporter.export(self._joined.to(metrics_data), timeout_millis, **kwargs)

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
