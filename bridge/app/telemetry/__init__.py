"""Sets up logs, traces and metrics for the process (D10)."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.metrics import Counter
from opentelemetry.propagate import inject
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource

from bridge import __version__
from bridge.app.telemetry.logs import make_logger
from bridge.app.telemetry.metrics import Joined, make_meters
from bridge.app.telemetry.traces import Traces, asked_for, make_traces, number_in
from bridge.signals import Signals, Tracing
from bridge.signals.messaging import RECORDS_MAX

CLOSE_TIMEOUT_S = 5.0
"""A collector that is gone must not hold up the end of the process."""

RECORDS = "BRIDGE_TRACE_RECORDS"
"""How many records of a topic have a span of their own in a sampled pass."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What was set up; `close` flushes what is still to be exported, within `CLOSE_TIMEOUT_S`."""

    signals: Signals
    spans_dropped: Counter
    traces: Traces
    meters: MeterProvider

    def close(self) -> None:
        """Blocking; called last."""
        ending = threading.Thread(target=self._shut_down, name="telemetry close", daemon=True)
        ending.start()
        ending.join(CLOSE_TIMEOUT_S)

    def _shut_down(self) -> None:
        self.traces.shutdown()
        self.meters.shutdown()


def set_up(deployment: str, brokers: str = "", env: Mapping[str, str] = os.environ) -> Telemetry:
    """By the standard OTEL_* variables: traces leave by OTLP where an endpoint is named; metrics are pulled.

    `brokers` is `kafka.bootstrap_servers`. Raises Fatal where the variables ask for what is not there.
    """
    exporting, records_max = asked_for(env), number_in(env, RECORDS, RECORDS_MAX, least=0)
    resource = _resource(deployment, env)
    logger = make_logger()
    joined = Joined()
    meters = make_meters(resource, joined, env, has_traces=exporting is not None)
    meter = meters.get_meter("bridge", __version__)
    dropped = meter.create_counter("bridge_spans_dropped", "", "Spans that never reached the collector, by reason")
    traces = make_traces(exporting, resource, lambda spans, reason: dropped.add(spans, {"reason": reason}))
    tracing = Tracing(
        records_max=records_max,
        server_address=host_of(brokers),
    )
    signals = Signals(meter, traces.tracer, logger, tracing)
    joined.histograms = signals.histograms
    return Telemetry(signals, dropped, traces, meters)


def host_of(brokers: str) -> str:
    """Of the first broker in a list of them."""
    return brokers.split(",")[0].rpartition("//")[2].rsplit(":", 1)[0].strip("[] ")


def trace_headers() -> dict[str, str]:
    """`traceparent` of the current span, for requests to the platform; empty outside of one."""
    headers: dict[str, str] = {}
    inject(headers)
    return headers


def _resource(deployment: str, env: Mapping[str, str]) -> Resource:
    """Ours, and over it what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say."""
    ours = Resource({"service.name": "bridge", "service.version": __version__, "service.namespace": deployment})
    theirs = Resource.create().attributes
    unnamed = not env.get("OTEL_SERVICE_NAME") and "service.name=" not in env.get("OTEL_RESOURCE_ATTRIBUTES", "")
    kept = {name: value for name, value in theirs.items() if not (unnamed and name == "service.name")}
    return ours.merge(Resource(kept))
