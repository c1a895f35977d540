"""One comment, followed from the platform's request log through the bridge to a consumer: one trace (D10)."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tests.e2e.topics import Read
from tests.e2e.town import Town
from tests.telemetry import collector as collectors


def processed(record: Read) -> tuple[str, str]:
    """A consumer's span, made from the record's headers as any consumer would; its trace and its parent."""
    exporter = InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    sent = TraceContextTextMapPropagator().extract(record.headers)
    with tracers.get_tracer("robot").start_as_current_span(
        f"process {record.topic}", context=sent, kind=SpanKind.CONSUMER
    ):
        pass
    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    assert span.parent is not None
    return f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}"


async def test_one_comment_is_one_trace(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    with collectors.by_http() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        town.platform.upload(1)
        bridge = town.start()
        (record,) = await town.drained(1)
        trace_id, parent_id = processed(record)
        assert bridge.terminate() == 0, "what still waits is exported at the end"

        spans = {span.name: span for span in collector.trace(trace_id)}
        assert spans[f"create {record.topic}"].span_id == parent_id
        assert spans[f"create {record.topic}"].attributes["bridge.comment_uid"] == record.uid
        assert spans[f"create {record.topic}"].attributes["messaging.message.id"] == record.ce_id
        assert spans[f"send {record.topic}"].links == (parent_id,)
        assert spans["bridge.cycle"].parent_id == ""

        asked = {
            event["op"]: event["traceparent"].split("-")[1:3]
            for event in town.platform.http.get("/_sandbox/log").json()["events"]
            if event.get("traceparent") and event["traceparent"].split("-")[1] == trace_id
        }
        assert asked == {op: [trace_id, spans[op].span_id] for op in ("fetch", "advance")}
        (line,) = bridge.events("batch_advanced")
        assert line["trace_id"] == trace_id
