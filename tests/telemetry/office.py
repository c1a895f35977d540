"""Telemetry as the service sets it up, over a world of fakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bridge.app.telemetry import Telemetry, set_up
from bridge.domain.errors import Retry
from bridge.domain.model import Generation
from bridge.domain.plan import OnLedgerOutage
from bridge.domain.standing import Reset, ResetPhase
from bridge.domain.status import Status
from bridge.engine.cycle import run_cycle
from tests.fakes.clock import START
from tests.fakes.plans import a_plan, a_route
from tests.unit.engine.world import World

PLAN = a_plan(extra=(a_route("next", "Urgent", shadow=True),))


@contextmanager
def telemetry(env: Mapping[str, str] | None = None) -> Iterator[Telemetry]:
    """Set up by these variables alone, and closed."""
    told = set_up("test", "kafka:9092", env or {})
    try:
        yield told
    finally:
        told.close()


async def every_metric(told: Telemetry) -> None:
    """One pass with all that can happen in it, and all that happens beside it."""
    world = World(replace(PLAN, on_ledger_outage=OnLedgerOutage.PUBLISH))
    told.signals.watch(lambda: [Status(name=PLAN.name, last_advance=world.clock.now())], world.clock.now)
    world.upload(30)
    world.upload_raw(b'{"sequence_id":"bad","comment":17}')
    await run_cycle(world.plan, Generation(0), world.memory, world.neighbours, told.signals)
    told.signals.platform_answered("fetch", "200")
    told.signals.producer_abandoned("timeout")
    told.signals.ledger_bypassed(PLAN.name, Retry("x", code="ledger_timeout"))
    told.signals.assigned(1, 1)
    told.signals.failed(PLAN.name, Retry("x", code="timeout"), 1, 0.1)
    reset = Reset(id="r", to_comment_created_at=START, requested_at=START, requested_by="x", phase=ResetPhase.DONE)
    told.signals.reset_moved(PLAN.name, reset)
    told.signals.moved_back(PLAN.name, "replay", START)
    told.spans_dropped.add(1, {"reason": "queue_full"})


def scraped() -> str:
    """What `/metrics` answers."""
    return generate_latest(REGISTRY).decode()


def families() -> dict[str, tuple[str, str, frozenset[str]]]:
    """Kind, help and labels of our metrics, by the name that a query uses."""
    found = {}
    for family in text_string_to_metric_families(scraped()):
        if family.name.startswith("bridge_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            found[name] = (family.type, family.documentation, frozenset(labels))
    return found


def series() -> int:
    """How many of ours a scrape has."""
    return sum(line.startswith("bridge_") for line in scraped().splitlines())
