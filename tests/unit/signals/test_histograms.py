"""Counts of our own are what a histogram of the metrics library would say."""

from __future__ import annotations

import random
from time import time_ns

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, MetricsData
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from bridge.app.telemetry.metrics import Joined
from bridge.signals.histograms import Histogram
from bridge.signals.instruments import PROBABILITIES
from tests.fakes.plans import a_plan
from tests.unit.signals.seen import Seen, context

BOUNDS = (0.0, 0.25, 0.5, 1.0)


def a_histogram() -> Histogram:
    return Histogram("h", "s", "Help", BOUNDS, labels=("trigger", "step"))


def test_values_are_counted_by_labels_with_inclusive_upper_ends() -> None:
    made = a_histogram()
    for value in (0.05, 0.25, 0.26, 1.0, 1.5):
        made.of("disputes", "fetch").add(value)
    made.of("disputes", "mark").add(0.0)
    made.of("disputes", "never")
    fetch, mark = made.snapshot()
    assert fetch.labels == {"trigger": "disputes", "step": "fetch"}
    assert fetch.buckets == (0, 2, 1, 1, 1)
    assert (fetch.sum, fetch.min, fetch.max) == (0.05 + 0.25 + 0.26 + 1.0 + 1.5, 0.05, 1.5)
    assert mark.buckets == (1, 0, 0, 0, 0)


def test_many_values_at_once_are_counted_as_one_by_one() -> None:
    chance = random.Random(7)
    exact = [bound for bound in PROBABILITIES for _ in range(3)]
    for values in ([], [0.5], exact, [chance.random() for _ in range(500)], [0.0, 1.0] * 40):
        at_once, one_by_one = (Histogram("h", "", "Help", PROBABILITIES, labels=()) for _ in range(2))
        at_once.of().add_all(values)
        for value in values:
            one_by_one.of().add(value)
        assert [(one.buckets, one.min, one.max) for one in at_once.snapshot()] == [
            (one.buckets, one.min, one.max) for one in one_by_one.snapshot()
        ]


def test_what_is_exported_is_what_the_library_would_say() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider(metric_readers=[reader]).get_meter("test")
    theirs = meter.create_histogram("h", "s", "Help", explicit_bucket_boundaries_advisory=BOUNDS)
    joined, ours = Joined(), a_histogram()
    for value in (0.0, 0.1, 0.25, 0.9, 7.0):
        theirs.record(value, {"trigger": "t", "step": "s"})
        ours.of("t", "s").add(value)
    data = reader.get_metrics_data()
    assert isinstance(data, MetricsData)
    joined.histograms = [ours]
    (their_metric, our_metric) = joined.to(data).resource_metrics[0].scope_metrics[0].metrics
    (their_point, our_point) = (metric.data.data_points[0] for metric in (their_metric, our_metric))
    assert isinstance(their_point, HistogramDataPoint)
    assert isinstance(our_point, HistogramDataPoint)
    for same in ("attributes", "count", "sum", "bucket_counts", "explicit_bounds", "min", "max"):
        assert getattr(our_point, same) == getattr(their_point, same), same
    assert (our_metric.unit, our_metric.description) == (their_metric.unit, their_metric.description)
    assert our_metric.data.aggregation_temporality == their_metric.data.aggregation_temporality  # type: ignore[union-attr]


def test_a_sampled_step_leads_from_its_seconds_to_its_span() -> None:
    seen, unsampled = Seen(), Seen(ALWAYS_OFF)
    for one in (seen, unsampled):
        with one.signals.cycle(a_plan().name), one.signals.step(a_plan().name, "fetch"):
            pass
    (counted,) = seen.signals.histograms[0].snapshot()
    (exemplar,) = counted.exemplars
    step = context(seen.one("fetch"))
    assert (exemplar.trace_id, exemplar.span_id) == (step.trace_id, step.span_id)
    assert exemplar.value == counted.sum
    (counted,) = unsampled.signals.histograms[0].snapshot()
    assert (sum(counted.buckets), counted.exemplars) == (1, ())


def test_an_exemplar_is_exported_once_and_never_scraped() -> None:
    seen = Seen()
    before_ns = time_ns()
    with seen.signals.step(a_plan().name, "fetch"):
        pass
    seen.signals.platform_answered("fetch", "200")
    data = seen.reader.get_metrics_data()
    assert isinstance(data, MetricsData)
    joined = Joined()
    joined.histograms = seen.signals.histograms

    def exemplars(since_ns: int | None) -> int:
        metrics = joined.to(data, since_ns).resource_metrics[0].scope_metrics[0].metrics
        return sum(len(point.exemplars) for metric in metrics for point in metric.data.data_points)

    assert (exemplars(before_ns), exemplars(time_ns()), exemplars(None)) == (1, 0, 0)
