"""Liveness is progress, readiness is the neighbours, metrics have the names of the contract (design section 9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.trace import NoOpTracerProvider
from prometheus_client.parser import text_string_to_metric_families
from typing_extensions import override

from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.app.ledger_use import LedgerUse
from bridge.app.telemetry.metrics import Joined, JoinedPrometheusReader
from bridge.domain.errors import Retry
from bridge.domain.model import TriggerName
from bridge.domain.plan import DeliveryMode
from bridge.domain.status import STUCK_AFTER_S
from bridge.signals import Signals
from tests.fakes.plans import a_plan
from tests.fakes.signals import ListLogger
from tests.unit.admin.office import fine, open_office
from tests.unit.engine.world import World

NAME = TriggerName("disputes")
CONTRACT = {
    "bridge_results_fetched_total": {"trigger"},
    "bridge_records_published_total": {"trigger", "route", "topic"},
    "bridge_duplicates_skipped_total": {"trigger"},
    "bridge_dead_letters_total": {"trigger", "reason"},
    "bridge_batch_seconds_bucket": {"trigger", "step", "le"},
    "bridge_batch_seconds_count": {"trigger", "step"},
    "bridge_batch_size_bucket": {"trigger", "le"},
    "bridge_lag_seconds": {"trigger"},
    "bridge_trigger_state": {"trigger", "state"},
    "bridge_platform_requests_total": {"op", "code"},
    "bridge_resets_total": {"trigger", "phase"},
    "bridge_owned_triggers": set(),
    "bridge_in_flight_records": {"trigger"},
    "bridge_label_probability_bucket": {"trigger", "route", "le"},
    "bridge_producers_abandoned_total": {"reason"},
}


async def test_a_worker_that_hangs_is_not_alive() -> None:
    world = World()
    async with open_office(world) as office:
        assert (await office.http.get("/livez")).json() == {"status": "ok", "stuck": []}
        await office.supervisor.pause(NAME, "operate", "")
        worker = world.worker(office.supervisor)
        long_ago = world.clock.now() - timedelta(seconds=STUCK_AFTER_S + 1)
        worker.status = replace(worker.status, last_progress=long_ago, next_attempt=None)
        answer = await office.http.get("/livez")
    assert (answer.status_code, answer.json()) == (503, {"status": "stuck", "stuck": ["disputes"]})


async def test_a_worker_that_backs_off_is_alive() -> None:
    world = World()
    world.source.go_down()
    async with open_office(world) as office:
        for _ in range(20):
            await world.clock.sleep(STUCK_AFTER_S / 4)
            assert (await office.http.get("/livez")).status_code == 200


async def test_readiness_names_the_neighbour_that_is_out() -> None:
    async def out() -> None:
        raise Retry("redis does not answer", code="ledger_unavailable")

    async def broken() -> None:
        raise ValueError("redis://user:secret@host")

    world = World()
    async with open_office(world, pings={"kafka": fine, "redis": out, "other": broken}) as office:
        answer = await office.http.get("/readyz")
    assert answer.status_code == 503
    parts = {"state": "ok", "kafka": "ok", "redis": "ledger_unavailable", "other": "ValueError"}
    assert answer.json() == {"status": "not_ready", "parts": parts}


async def test_a_neighbour_that_nobody_needs_makes_nothing_unready() -> None:
    """D5: with exactly_once alone Redis may be gone."""

    class Gone(RedisLedger):
        @override
        async def ping(self) -> None:
            raise Retry("redis does not answer", code="ledger_unavailable")

    world = World()
    use = LedgerUse(Gone(RedisSettings(url="redis://127.0.0.1:1/0")), [a_plan(delivery=DeliveryMode.EXACTLY_ONCE)])
    async with open_office(world, pings={"kafka": fine, "redis": use.ping}) as office:
        answer = await office.http.get("/readyz")
        assert (answer.status_code, answer.json()["parts"]["redis"]) == (200, "not_needed")
        use.follow([a_plan(delivery=DeliveryMode.EXACTLY_ONCE), a_plan(name="fees")])
        answer = await office.http.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]["redis"]) == (503, "ledger_unavailable")


async def test_a_service_whose_standings_are_not_read_is_not_ready() -> None:
    world = World()
    async with open_office(world) as office:
        office.supervisor.is_ready = False
        assert (await office.http.get("/readyz")).json()["parts"]["state"] == "starting"


@pytest.fixture
def measured() -> Iterator[Signals]:
    """Signals whose metrics `/metrics` shows."""
    joined = Joined()
    meters = MeterProvider(metric_readers=[JoinedPrometheusReader(joined)])
    signals = Signals(meters.get_meter("bridge"), NoOpTracerProvider().get_tracer("bridge"), ListLogger())
    joined.histograms = signals.histograms
    yield signals
    meters.shutdown()


async def exported(measured: Signals) -> str:
    """After some results, a dead letter and a reset."""
    world = World()
    world.signals = measured
    world.upload(3)
    world.upload_raw(b'{"sequence_id":"bad","comment":17}')
    measured.platform_answered("fetch", "200")
    measured.producer_abandoned("timeout")
    async with open_office(world) as office:
        await world.until(lambda: world.pending == 0)
        await office.http.post("/api/v1/triggers/disputes/resets", json={"to_comment_created_at": "2020-01-01"})
        await world.clock.sleep(60)
        return (await office.http.get("/metrics")).text


async def test_metrics_have_the_names_and_labels_of_the_contract(measured: Signals) -> None:
    text = await exported(measured)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    assert {name: found.get(name) for name in CONTRACT} == CONTRACT
    assert "hello" not in text, "I10"


async def test_the_seconds_since_an_advance_have_the_name_of_the_contract(measured: Signals) -> None:
    assert 'bridge_seconds_since_advance{trigger="disputes"}' in await exported(measured)
