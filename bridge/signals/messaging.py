"""Spans of what is sent, by OpenTelemetry's conventions for messaging: a create span per record, a send per topic.

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

from bridge.domain.delivery import Delivery, Outcome, Receipt, traced
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """`each_record` false leaves the create spans out: records then carry the context of their topic's send span.

    `server_address` is the broker that the configuration names first, empty where that is not known.
    """

    each_record: bool = True
    server_address: str = ""


@dataclass(slots=True)
class Sending:
    """What is handed to the broker: `deliveries`, each with the trace context of its own that a consumer joins."""

    deliveries: Sequence[Delivery]
    spans: dict[str, Span] = field(default_factory=dict)

    def answered(self, receipts: Sequence[Receipt]) -> None:
        """A topic's span has failed where one of its records is not acked."""
        for receipt in receipts:
            if receipt.outcome is not Outcome.ACKED and (span := self.spans.get(receipt.topic)):
                fail(span, receipt.code or receipt.outcome.value)


@contextmanager
def sending(tracer: Tracer, deliveries: Sequence[Delivery], tracing: Tracing) -> Iterator[Sending]:
    """The spans around a publish. Without sampling there are none, and the records carry the pass's own context."""
    if not deliveries or not get_current_span().is_recording():
        yield Sending(deliveries)
        return
    made = (_each_created if tracing.each_record else _sent_by_topic)(tracer, deliveries, tracing)
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


def _each_created(tracer: Tracer, deliveries: Sequence[Delivery], tracing: Tracing) -> Sending:
    carried: list[Delivery] = []
    links: defaultdict[str, list[Link]] = defaultdict(list)
    for delivery in deliveries:
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
        links[delivery.topic].append(Link(span.get_span_context()))
        carried.append(traced(delivery, traceparent(span)))
    # A consumer joins the create span of its record, so the send is no producer but a client's call.
    spans = {
        topic: _send(tracer, topic, len(made), SpanKind.CLIENT, made, tracing.server_address)
        for topic, made in links.items()
    }
    return Sending(carried, spans)


def _sent_by_topic(tracer: Tracer, deliveries: Sequence[Delivery], tracing: Tracing) -> Sending:
    records = Counter(delivery.topic for delivery in deliveries)
    spans = {
        topic: _send(tracer, topic, count, SpanKind.PRODUCER, (), tracing.server_address)
        for topic, count in records.items()
    }
    contexts = {topic: traceparent(span) for topic, span in spans.items()}
    return Sending([traced(delivery, contexts[delivery.topic]) for delivery in deliveries], spans)


def _send(tracer: Tracer, topic: str, records: int, kind: SpanKind, links: Sequence[Link], server_address: str) -> Span:
    attributes: dict[str, str | int] = {
        SYSTEM: "kafka",
        OPERATION_NAME: "send",
        OPERATION_TYPE: "send",
        DESTINATION: topic,
        MESSAGE_COUNT: records,
    }
    if server_address:
        attributes[SERVER_ADDRESS] = server_address
    return tracer.start_span(f"send {topic}", kind=kind, attributes=attributes, links=links)
