"""What the log says of failures, and how often."""

from __future__ import annotations

from bridge.domain.errors import Retry
from bridge.signals.probabilities import BOUNDS, Probabilities
from tests.fakes.plans import a_plan
from tests.unit.signals.seen import Seen


def test_repeats_of_a_failure_get_rarer_in_the_log() -> None:
    seen = Seen()
    for failures in range(1, 65):
        seen.signals.failed(a_plan().name, Retry("x", code="timeout"), failures, 1.0)
    assert len(seen.log.events("cycle_held")) == 7


def test_probabilities_are_counted_by_route_with_inclusive_upper_ends() -> None:
    counted = Probabilities()
    counted.add(a_plan().name, {"urgent": [0.05, 0.051, 0.6, 1.0], "trades": [0.0]})
    counted.add(a_plan().name, {"urgent": [0.6]})
    urgent, trades = counted.snapshot()
    assert (urgent.trigger, urgent.route, sum(urgent.buckets)) == ("disputes", "urgent", 5)
    assert urgent.buckets[0] == urgent.buckets[1] == urgent.buckets[-1] == 1
    assert urgent.buckets[BOUNDS.index(0.6)] == 2
    assert urgent.sum == 0.05 + 0.051 + 0.6 + 1.0 + 0.6
    assert trades.buckets[0] == 1
