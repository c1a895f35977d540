"""How sure the model was of what it routed, counted by route: what shows a threshold that no longer fits.

One histogram of the metrics library costs several microseconds a value; a pass has more values than records. They are
counted here, and what exports metrics reads the counts (`snapshot`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.domain.model import TriggerName

NAME = "bridge_label_probability"
HELP = "Probabilities of the labels that matched, per route"
BOUNDS = tuple(twentieth / 20 for twentieth in range(1, 20))
"""Upper ends, inclusive, of all buckets but the last, which ends at 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Since the process started; `buckets` has one more than `BOUNDS`."""

    trigger: str
    route: str
    buckets: Sequence[int]
    sum: float


@dataclass(slots=True)
class _Counts:
    buckets: list[int]
    sum: float = 0.0


class Probabilities:
    """Bounded by the routes of the configuration, whatever labels the platform has."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], _Counts] = {}

    def add(self, trigger: TriggerName, by_route: Mapping[str, Sequence[float]]) -> None:
        """Those of one batch."""
        for route, probabilities in by_route.items():
            counts = self._routes.get((trigger, route))
            if counts is None:
                counts = self._routes[trigger, route] = _Counts([0] * (len(BOUNDS) + 1))
            buckets = counts.buckets
            for probability in probabilities:
                buckets[bisect_left(BOUNDS, probability)] += 1
            counts.sum += sum(probabilities)

    def snapshot(self) -> Sequence[Counted]:
        """What was counted up to now."""
        # A scrape may come from another thread than the workers': the copy is made in one step.
        return [
            Counted(trigger=trigger, route=route, buckets=tuple(counts.buckets), sum=counts.sum)
            for (trigger, route), counts in list(self._routes.items())
        ]
