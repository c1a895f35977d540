"""Histograms of ours: one value costs a fraction of a microsecond, with the metrics library several.

A pass has a value for each step, and more of probabilities than it has records. They are counted here, and what exports
metrics reads the counts (`Histogram.snapshot`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from time import time_ns

from opentelemetry.trace import Span


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One value of a bucket with the sampled span that it was taken in."""

    value: float
    time_ns: int
    trace_id: int
    span_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One series since the process started; `buckets` has one more than its histogram has bounds.

    `min` and `max` are of all values; a series has at least one. `exemplars` has the last one of each bucket.
    """

    labels: Mapping[str, str]
    buckets: Sequence[int]
    sum: float
    min: float
    max: float
    exemplars: Sequence[Exemplar]


class Series:
    """The counts of one set of labels."""

    __slots__ = ("_bounds", "buckets", "exemplars", "max", "min", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.min, self.max = inf, -inf
        self.exemplars: dict[int, Exemplar] = {}

    def add(self, value: float, within: Span | None = None) -> None:
        """`within` is the span it was taken in: where that is sampled it leads from the figure to its trace."""
        bucket = bisect_left(self._bounds, value)
        self.buckets[bucket] += 1
        self.sum += value
        if value < self.min:
            self.min = value
        if value > self.max:
            self.max = value
        if within is not None and within.is_recording():
            self._remember(bucket, value, within)

    def add_all(self, values: Sequence[float]) -> None:
        """Many are put in order, and counted by a look-up for each bound in place of one for each value."""
        if len(values) < len(self._bounds):
            for value in values:
                self.add(value)
            return
        ordered, below = sorted(values), 0
        for bucket, bound in enumerate(self._bounds):
            upto = bisect_right(ordered, bound, below)
            self.buckets[bucket] += upto - below
            below = upto
        self.buckets[-1] += len(ordered) - below
        self.sum += sum(values)
        self.min, self.max = min(self.min, ordered[0]), max(self.max, ordered[-1])

    def _remember(self, bucket: int, value: float, within: Span) -> None:
        context = within.get_span_context()
        if context.trace_flags.sampled:
            self.exemplars[bucket] = Exemplar(value, time_ns(), context.trace_id, context.span_id)


class Histogram:
    """Its name, unit and help are a contract, as those of all metrics (see instruments).

    `bounds` are the upper ends, inclusive, of all buckets but the last, which has none.
    """

    def __init__(self, name: str, unit: str, description: str, bounds: Sequence[float], labels: Sequence[str]) -> None:
        self.name = name
        self.unit = unit
        self.description = description
        self.bounds = tuple(bounds)
        self._labels = tuple(labels)
        self._series: dict[tuple[str, ...], Series] = {}

    def of(self, *labels: str) -> Series:
        """The series of these labels, whose values have to be bounded: see the package."""
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = Series(self.bounds)
        return series

    def snapshot(self) -> Sequence[Counted]:
        """What was counted up to now; a series without a value is none yet."""
        # A scrape may come from another thread than the workers': each copy is made in one step.
        return [
            Counted(
                labels=dict(zip(self._labels, labels, strict=True)),
                buckets=buckets,
                sum=series.sum,
                min=series.min,
                max=series.max,
                exemplars=tuple(series.exemplars.copy().values()),
            )
            for labels, series in list(self._series.items())
            if any(buckets := tuple(series.buckets))
        ]
