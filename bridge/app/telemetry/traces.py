"""Traces out by OTLP, so that a collector that is slow or gone costs nothing but spans, and those are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    get_current_span,
    use_span,
)
from opentelemetry.util._decorator import _agnosticcontextmanager  # what Tracer's own signature names
from opentelemetry.util.types import Attributes
from typing_extensions import override

from bridge import __version__
from bridge.domain.errors import Fatal

QUEUE_MAX = 8_192
"""Spans waiting for the exporter. A pass with a span for each record of 1,024 results on two topics makes 2,048 at
once, which is all that the SDK's own default holds."""

LINKS_MAX = 4_096
"""A send span links to the create spans of its records; the SDK's own default of 128 is less than may be asked for."""

Dropped = Callable[[int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """`tracer` makes spans; `shutdown` blocks until the exporter has ended."""

    tracer: Tracer
    shutdown: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting:
    """Where spans go, and how many of them may wait and may be linked to."""

    exporter: SpanExporter
    queue_max: int
    links_max: int


def make_traces(exporting: Exporting | None, resource: Resource, dropped: Dropped) -> Traces:
    """Without an exporter there are ids and nothing else."""
    if exporting is None:
        return Traces(tracer=PassingTracer(), shutdown=lambda: None)
    limits = SpanLimits(max_links=exporting.links_max)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, span_limits=limits)
    provider.add_span_processor(BoundedProcessor(exporting.exporter, exporting.queue_max, dropped))
    return Traces(tracer=provider.get_tracer("bridge", __version__), shutdown=provider.shutdown)


class BoundedProcessor(BatchSpanProcessor):
    """The SDK's, which counts what it has no room for and what the collector did not take."""

    def __init__(self, exporter: SpanExporter, queue_max: int, dropped: Dropped) -> None:
        self._taken = _CountingExporter(exporter, dropped)
        super().__init__(self._taken, max_queue_size=queue_max)
        self._queue_max = queue_max
        self._handed = 0
        self._dropped = dropped

    @override
    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        # Counted as taken only once the exporter has it, so that the SDK's queue can never be fuller than this says.
        if self._handed - self._taken.spans >= self._queue_max:
            self._dropped(1, "queue_full")
            return
        self._handed += 1
        super().on_end(span)


class _CountingExporter(SpanExporter):
    def __init__(self, exporter: SpanExporter, dropped: Dropped) -> None:
        self.spans = 0
        self._exporter = exporter
        self._dropped = dropped

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += len(spans)
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is not SpanExportResult.SUCCESS:
                self._dropped(len(spans), "export_failed")
        return result

    @override
    def shutdown(self) -> None:
        self._exporter.shutdown()

    @override
    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class PassingTracer(Tracer):
    """Where no traces are exported: spans have ids for logs and records, and record nothing.

    A span within another is that one: nobody will ever see that it had steps.
    """

    def __init__(self) -> None:
        self._ids = RandomIdGenerator()

    @override
    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        within = get_current_span(context)
        if within.get_span_context().is_valid:
            return within
        return NonRecordingSpan(
            SpanContext(
                trace_id=self._ids.generate_trace_id(),
                span_id=self._ids.generate_span_id(),
                is_remote=False,
                # A consumer that follows its parent's decision shall trace, whether or not the bridge does.
                trace_flags=TraceFlags(TraceFlags.SAMPLED),
            )
        )

    @override
    @_agnosticcontextmanager
    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[Span]:
        with use_span(self.start_span(name, context), record_exception=False, set_status_on_exception=False) as span:
            yield span


def asked_for(env: Mapping[str, str]) -> Exporting | None:
    """What the variables name, None where they name nothing. Raises Fatal for what is not there."""
    named = env.get("OTEL_TRACES_EXPORTER", "").strip()
    endpoint = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or env.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    disabled = env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if named not in ("", "otlp", "none"):
        raise Fatal(f"OTEL_TRACES_EXPORTER={named}: expected otlp or none", code="traces_exporter")
    if disabled or named == "none" or not (named or endpoint):
        return None
    return Exporting(
        queue_max=number_in(env, "OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_MAX),
        links_max=number_in(env, "OTEL_SPAN_LINK_COUNT_LIMIT", LINKS_MAX),
        exporter=otlp_exporter(protocol(env, "TRACES"), "trace_exporter", "OTLPSpanExporter"),
    )


def protocol(env: Mapping[str, str], signal: str) -> str:
    """Of one signal (TRACES, METRICS), as the specification orders the variables."""
    return env.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL") or env.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"


def otlp_exporter(spoken: str, module: str, name: str) -> Any:
    """Of one signal, in the protocol that is spoken. Raises Fatal for another one, or where it is not installed.

    Loaded here and not at start: with protobuf it takes 3 MB, and most services push nothing.
    """
    match spoken:
        case "http/protobuf":
            found = import_module(f"opentelemetry.exporter.otlp.proto.http.{module}")
        case "grpc":
            found = _grpc(module)
        case _:
            raise Fatal(f"OTLP by {spoken!r}: expected http/protobuf or grpc", code="otlp_protocol")
    return getattr(found, name)()


def _grpc(module: str) -> ModuleType:
    """It brings a library of many megabytes, so it is an extra. Raises Fatal where that is not installed."""
    try:
        return import_module(f"opentelemetry.exporter.otlp.proto.grpc.{module}")
    except ImportError as error:
        raise Fatal(
            "OTLP by grpc is asked for and not installed: pip install 'bridge[otlp-grpc]', or http/protobuf",
            code="otlp_grpc_missing",
        ) from error


def number_in(env: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    """Raises Fatal where it is none, or too small."""
    given = env.get(name, "").strip()
    if not given:
        return default
    if not given.isdecimal() or int(given) < least:
        raise Fatal(f"{name}={given}: expected a number of at least {least}", code="otel_variable")
    return int(given)
