"""What a run leaves behind, brought before the outside judge."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.e2e.platform import DATASET, PROJECT, TRIGGER
from tests.e2e.town import LANES, UNMATCHED, Town, number_of
from tests.history.checker import judge
from tests.history.collect import (
    Line,
    bridge_events,
    expectation_of,
    platform_events,
    read_log_file,
    read_topics,
)
from tests.history.events import Event, Outage, Part
from tests.history.verdict import Figures

IDENTITY = f"{PROJECT}/{DATASET}/{TRIGGER}"


@contextmanager
def outage(who: Part, seen: list[Event], *, lasting_s: float = 0.0) -> Iterator[None]:
    """Notes that a part did not serve meanwhile; `lasting_s` is how long it may be felt behind that."""
    from_ms = time.time() * 1000
    yield
    seen.append(Outage(at_ms=from_ms, until_ms=time.time() * 1000 + lasting_s * 1000, who=who))


async def judged(town: Town, seen: list[Event], dead: Mapping[int, str] | None = None) -> Figures:
    """I1 to I9 over the whole run, which must be drained. `dead` are the numbers of the uploads that are poisonous."""

    def routes_of(result: Line) -> dict[str, str]:
        number = number_of(str(result["uid"]))
        if dead and number in dead:
            return {"dead_letter": town.topic("dead")}
        stem = LANES.get("abc"[number % 3])
        return {stem: town.topic(stem)} if stem else {"unmatched": town.topic(UNMATCHED)}

    assert town.bridge is not None
    records = await read_topics(town.kafka.bootstrap_servers, town.all_topics)
    platform = platform_events(read_log_file(town.platform.sandbox.events_file))
    doubts = bridge_events(town.bridge.lines, {"disputes": IDENTITY})
    expectation = expectation_of(IDENTITY, town.platform.expected(), routes_of)
    verdict = judge([*platform, *doubts, *seen, *records], [expectation])
    assert not verdict.violations, verdict.explained()
    assert verdict.figures.first_deliveries == verdict.figures.results
    return verdict.figures
