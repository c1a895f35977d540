"""Records with other trace contexts are the same records."""

from __future__ import annotations

from dataclasses import replace

from bridge.domain.decide import decide
from bridge.domain.delivery import TRACEPARENT, traced
from bridge.domain.model import Generation
from tests.fakes.plans import a_plan
from tests.fakes.results import a_batch, raw_result

PASS, FIRST, REST = (f"00-{trace:032x}-{trace:016x}-01" for trace in (1, 2, 3))


def test_only_the_trace_context_differs_and_what_was_shared_is_shared_still() -> None:
    """What a route's records share is one object, spelled once for all of them (see the record batch)."""
    batch = a_batch([raw_result(number, {"Urgent": 0.9}) for number in range(4)])
    decided = decide(batch, a_plan(), Generation(0), {}, PASS).deliveries
    made = traced(decided, [FIRST, REST, REST, REST])
    assert [dict(one.headers)[TRACEPARENT].decode() for one in made] == [FIRST, REST, REST, REST]
    for one, before in zip(made, decided, strict=True):
        assert [name for name, _ in one.headers] == [name for name, _ in before.headers]
        assert replace(one, shared_headers=before.shared_headers) == before
    assert made[1].shared_headers is made[2].shared_headers is made[3].shared_headers


def test_records_without_a_trace_context_get_none() -> None:
    batch = a_batch([raw_result(1, {"Urgent": 0.9})])
    decided = decide(batch, a_plan(), Generation(0), {}, "").deliveries
    assert traced(decided, [FIRST]) == decided
