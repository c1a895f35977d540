"""What the log says of failures, and how often."""

from __future__ import annotations

from bridge.domain.errors import Retry
from tests.fakes.plans import a_plan
from tests.unit.signals.seen import Seen


def test_repeats_of_a_failure_get_rarer_in_the_log() -> None:
    seen = Seen()
    for failures in range(1, 65):
        seen.signals.failed(a_plan().name, Retry("x", code="timeout"), failures, 1.0)
    assert len(seen.log.events("cycle_held")) == 7
