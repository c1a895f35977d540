"""Traces reach a collector by the standard variables; one that is gone costs spans, which are counted, and no time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module

import pytest

from bridge import __version__
from bridge.app.telemetry import CLOSE_TIMEOUT_S, Telemetry, traces
from bridge.domain.errors import Fatal
from bridge.domain.model import Generation
from bridge.engine.cycle import run_cycle
from tests.telemetry import collector as collectors
from tests.telemetry.collector import Collector
from tests.telemetry.office import every_metric, scraped, telemetry
from tests.unit.engine.world import World

PASSES = 40
SPANS_OF_A_PASS = 9


@contextmanager
def told_to(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> Iterator[Telemetry]:
    """The SDK reads some of the variables by itself."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with telemetry(env) as told:
        yield told


async def passes(told: Telemetry, count: int) -> World:
    world = World()
    for _ in range(count):
        world.upload(1)
        await run_cycle(world.plan, Generation(0), world.memory, world.neighbours, told.signals)
    return world


def counted(reason: str) -> int:
    """Spans dropped for it, by `/metrics`."""
    start = f'bridge_spans_dropped_total{{reason="{reason}"}} '
    return sum(int(float(line.removeprefix(start))) for line in scraped().splitlines() if line.startswith(start))


def assert_whole_passes(collector: Collector) -> None:
    assert {span.name for span in collector.spans} == {
        *("bridge.cycle", "fetch", "decide", "skip", "publish", "mark", "advance"),
        *("create rpa.urgent", "send rpa.urgent"),
    }
    assert len(collector.spans) == 2 * SPANS_OF_A_PASS
    assert len({span.trace_id for span in collector.spans}) == 2
    resource = collector.resources[0]
    assert (resource["service.name"], resource["service.namespace"]) == ("bridge", "test")
    assert resource["service.version"] == __version__


async def test_traces_leave_by_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with collectors.by_http() as collector:
        with told_to(monkeypatch, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}) as told:
            await passes(told, 2)
        assert_whole_passes(collector)
        assert counted("export_failed") == counted("queue_full") == 0


async def test_traces_leave_by_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    with collectors.by_grpc() as collector:
        env = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        with told_to(monkeypatch, env) as told:
            await passes(told, 2)
        assert_whole_passes(collector)


async def test_metrics_leave_by_otlp_too_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with collectors.by_http() as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_METRICS_EXPORTER": "otlp,prometheus"}
        with told_to(monkeypatch, env) as told:
            await every_metric(told)
            assert "bridge_label_probability_bucket" in scraped()
        counted = {"bridge_records_published", "bridge_label_probability", "bridge_batch_seconds", "bridge_batch_size"}
        assert counted | {"bridge_lag_seconds", "bridge_in_flight_records"} <= collector.metrics
        assert collector.exemplars["bridge_batch_seconds"] <= {span.trace_id for span in collector.spans}
        assert collector.exemplars["bridge_batch_seconds"], "they lead from a figure to its trace"


async def test_the_sampler_and_the_name_of_the_service_are_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    with collectors.by_http() as collector:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.25",
            "OTEL_SERVICE_NAME": "mail-to-kafka",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=staging",
        }
        with told_to(monkeypatch, env) as told:
            await passes(told, 400)
        sampled = len({span.trace_id for span in collector.spans})
        assert 50 < sampled < 160, "a quarter of 400; either bound is five standard deviations away"
        assert collector.resources[0]["service.name"] == "mail-to-kafka"
        assert collector.resources[0]["deployment.environment"] == "staging"


@pytest.mark.parametrize("kind", ["gone", "silent", "gone by grpc"])
async def test_a_dead_collector_stops_nothing_and_its_spans_are_counted(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bounded queue, no stall, and every span that does not arrive is in a metric."""
    with collectors.that_never_answers() as silent:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": silent if kind == "silent" else collectors.that_is_gone(),
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if "grpc" in kind else "http/protobuf",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_BSP_MAX_QUEUE_SIZE": "64",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "32",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        began = time.monotonic()
        with told_to(monkeypatch, env) as told:
            world = await passes(told, PASSES)
            took_s = time.monotonic() - began
            assert world.pending == 0
            assert took_s < 1.0 + PASSES * 0.1, "passes wait for no collector"
            made = PASSES * SPANS_OF_A_PASS
            lost = counted("queue_full") + counted("export_failed")
            assert made - 64 - 32 <= lost <= made
            closing = time.monotonic()
        assert time.monotonic() - closing < CLOSE_TIMEOUT_S + 1.0


async def test_without_a_collector_passes_have_ids_and_record_nothing() -> None:
    """A consumer that follows the decision of its parent traces all the same."""
    with telemetry() as told:
        world = await passes(told, 2)
        assert isinstance(told.traces.tracer, traces.PassingTracer)
        carried = {dict(record.headers)["traceparent"].decode() for record in world.log.records}
    assert len(carried) == 2
    assert all(int(one.rpartition("-")[2], 16) & 1 for one in carried)


@pytest.mark.parametrize(
    ("env", "code"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "traces_exporter"),
        ({"OTEL_METRICS_EXPORTER": "statsd"}, "metrics_exporter"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "otlp_protocol"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_MAX_QUEUE_SIZE": "many"}, "otel_variable"),
        ({"BRIDGE_TRACE_RECORDS": "all"}, "otel_variable"),
    ],
)
def test_what_cannot_be_had_is_refused_at_start(env: Mapping[str, str], code: str) -> None:
    with pytest.raises(Fatal) as refused, telemetry(env):
        pass
    assert refused.value.code == code


def test_grpc_that_is_not_installed_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> object:
        if ".grpc." in name:
            raise ImportError(name)
        return import_module(name)

    monkeypatch.setattr(traces, "import_module", nothing)
    with (
        pytest.raises(Fatal, match=r"bridge\[otlp-grpc\]"),
        telemetry({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}),
    ):
        pass


@pytest.mark.parametrize("env", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_traces_can_be_turned_off_with_an_endpoint_named(env: Mapping[str, str]) -> None:
    with telemetry({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", **env}) as told:
        assert isinstance(told.traces.tracer, traces.PassingTracer)
