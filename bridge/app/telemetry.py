"""Sets up logs, traces and metrics for the process (D10)."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.propagate import inject
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from structlog.typing import EventDict, WrappedLogger

from bridge import __version__
from bridge.signals import Signals


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What was set up; `close` flushes what is still to be exported, within the exporters' own bounds."""

    signals: Signals
    tracer_provider: TracerProvider
    meter_provider: MeterProvider

    def close(self) -> None:
        """Blocking; called last."""
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()


def set_up(deployment: str, env: Mapping[str, str] = os.environ) -> Telemetry:
    """Traces leave by OTLP where the standard OTEL_EXPORTER_OTLP_* variables name an endpoint; metrics are pulled."""
    resource = Resource.create(
        {"service.name": "bridge", "service.version": __version__, "service.namespace": deployment}
    )
    tracers = TracerProvider(resource=resource)
    if env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    meters = MeterProvider(metric_readers=[PrometheusMetricReader(scope_info_enabled=False)], resource=resource)
    signals = Signals(meters.get_meter("bridge", __version__), tracers.get_tracer("bridge", __version__), make_logger())
    return Telemetry(signals, tracers, meters)


def trace_headers() -> dict[str, str]:
    """`traceparent` of the current span, for requests to the platform; empty outside of one."""
    headers: dict[str, str] = {}
    inject(headers)
    return headers


def make_logger() -> structlog.stdlib.BoundLogger:
    """JSON lines on standard output, pretty on a terminal. Libraries' own warnings come out the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_trace_ids,
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stdout.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processor=renderer
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # aiokafka repeats each connection error per attempt; what matters of it reaches us as an error and is logged once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger


def add_trace_ids(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """So that a line leads to its trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
