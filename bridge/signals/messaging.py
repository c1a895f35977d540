"""Spans of what is sent, by OpenTelemetry's conventions for messaging: create spans of records, a send per topic.

The spans of records are made only where the pass is sampled (D10a). The names of attributes are those of the
conventions for messaging, which are still in development; a test holds them against the library's own list.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_span_id,
    format_trace_id,
    get_current_span,
)

from bridge.domain.delivery import ACKED, Delivery, MarkKey, Receipt, traced
from bridge.domain.errors import BridgeError

SYSTEM = "messaging.system"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
MESSAGE_ID = "messaging.message.id"
MESSAGE_COUNT = "messaging.batch.message_count"
SERVER_ADDRESS = "server.address"
ERROR_TYPE = "error.type"
COMMENT_UID = "bridge.comment_uid"
ROUTE = "bridge.route"


RECORDS_MAX = 32
"""A span made, linked to and encoded costs more than all else that is done for a record: with one for each, tracing a
tenth of the passes takes 51 to 55 % more CPU (tests/bench/telemetry_bench.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """`records_max` is how many records of a topic have a create span of their own in one sampled pass.

    The others carry the context of their topic's send span. `server_address` is the broker that the configuration names
    first, empty where that is not known.
    """

    records_max: int = RECORDS_MAX
    server_address: str = ""


@dataclass(slots=True)
class Sending:
    """What is handed to the broker: `deliveries`, each with the trace context of its own that a consumer joins."""

    deliveries: Sequence[Delivery]
    spans: dict[str, Span] = field(default_factory=dict)

    def answered(self, receipts: Sequence[Receipt]) -> None:
        """A topic's span has failed where one of its records is not acked."""
        for receipt in receipts if self.spans else ():
            if receipt.outcome is not ACKED and (span := self.spans.get(receipt.topic)):
                fail(span, receipt.code or receipt.outcome.value)


@contextmanager
def sending(tracer: Tracer, deliveries: Sequence[Delivery], tracing: Tracing) -> Iterator[Sending]:
    """The spans around a publish. Without sampling there are none, and the records carry the pass's own context."""
    if not deliveries or not get_current_span().is_recording():
        yield Sending(deliveries)
        return
    made = _traced(tracer, deliveries, tracing)
    try:
        yield made
    except BridgeError as error:
        for span in made.spans.values():
            fail(span, error.code)
        raise
    finally:
        for span in made.spans.values():
            span.end()


def fail(span: Span, code: str) -> None:
    """With our own word, never with the message of an error (I10)."""
    span.set_status(StatusCode.ERROR, code)
    span.set_attribute(ERROR_TYPE, code)


def traceparent(span: Span) -> str:
    """W3C Trace Context, section 3.2; empty where no tracer is set up."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    trace, parent = format_trace_id(context.trace_id), format_span_id(context.span_id)
    return f"00-{trace}-{parent}-{int(context.trace_flags):02x}"


def _traced(tracer: Tracer, deliveries: Sequence[Delivery], tracing: Tracing) -> Sending:
    records = Counter(delivery.topic for delivery in deliveries)
    created: dict[MarkKey, str] = {}
    links: defaultdict[str, list[Link]] = defaultdict(list)
    for delivery in deliveries:
        made = links[delivery.topic]
        if len(made) < tracing.records_max:
            span = _create(tracer, delivery)
            made.append(Link(span.get_span_context()))
            created[delivery.mark] = traceparent(span)
    spans = {topic: _send(tracer, topic, count, links[topic], tracing) for topic, count in records.items()}
    sent = {topic: traceparent(span) for topic, span in spans.items()}
    return Sending(traced(deliveries, (created.get(one.mark) or sent[one.topic] for one in deliveries)), spans)


def _create(tracer: Tracer, delivery: Delivery) -> Span:
    attributes = {
        SYSTEM: "kafka",
        OPERATION_NAME: "create",
        OPERATION_TYPE: "create",
        DESTINATION: delivery.topic,
        MESSAGE_ID: delivery.mark.hex(),
        COMMENT_UID: delivery.uid,
        ROUTE: delivery.route,
    }
    span = tracer.start_span(f"create {delivery.topic}", kind=SpanKind.PRODUCER, attributes=attributes)
    span.end()
    return span


def _send(tracer: Tracer, topic: str, records: int, links: Sequence[Link], tracing: Tracing) -> Span:
    attributes: dict[str, str | int] = {
        SYSTEM: "kafka",
        OPERATION_NAME: "send",
        OPERATION_TYPE: "send",
        DESTINATION: topic,
        MESSAGE_COUNT: records,
    }
    if tracing.server_address:
        attributes[SERVER_ADDRESS] = tracing.server_address
    # Where consumers join the create spans alone, the send is no producer but a client's call.
    kind = SpanKind.CLIENT if len(links) == records else SpanKind.PRODUCER
    return tracer.start_span(f"send {topic}", kind=kind, attributes=attributes, links=links)
