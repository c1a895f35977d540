"""Names, kinds, parents, attributes and links of spans are a contract (design section 9, D10a)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.semconv._incubating.attributes import messaging_attributes as convention
from opentelemetry.semconv.attributes import error_attributes, server_attributes
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, use_span

from bridge.app.telemetry import trace_headers
from bridge.domain.delivery import Outcome
from bridge.domain.errors import Retry
from bridge.domain.model import Generation
from bridge.domain.plan import DeliveryMode
from bridge.domain.standing import Reset, Standing
from bridge.engine.atomic_cycle import run_atomic_cycle
from bridge.engine.cycle import run_cycle
from bridge.signals import Tracing, messaging
from bridge.signals.messaging import RECORDS_MAX
from tests.fakes.plans import a_plan
from tests.fakes.results import raw_result
from tests.unit.engine.world import World
from tests.unit.signals.seen import Seen, context, parent_id

STEPS = {
    "fetch": SpanKind.CLIENT,
    "decide": SpanKind.INTERNAL,
    "skip": SpanKind.CLIENT,
    "publish": SpanKind.INTERNAL,
    "mark": SpanKind.CLIENT,
    "advance": SpanKind.CLIENT,
}
BROKER = Tracing(server_address="kafka-0")


async def run(world: World, seen: Seen) -> None:
    await run_cycle(world.plan, Generation(0), world.memory, world.neighbours, seen.signals)


def mixed(world: World) -> None:
    """Three urgent ones and one that nothing takes."""
    world.upload(3)
    world.upload_raw(raw_result(4, {"Spam": 0.9}))


async def test_a_pass_is_one_trace_of_its_steps() -> None:
    """D10."""
    world, seen = World(), Seen()
    mixed(world)
    await run(world, seen)
    cycle = seen.one("bridge.cycle")
    assert cycle.parent is None
    assert cycle.kind is SpanKind.INTERNAL
    assert dict(cycle.attributes or {}) == {"bridge.trigger": "disputes"}
    for name, kind in STEPS.items():
        step = seen.one(name)
        assert parent_id(step) == context(cycle).span_id, name
        assert step.kind is kind, name
    assert {context(span).trace_id for span in seen.finished} == {context(cycle).trace_id}
    assert {span.name for span in seen.finished} == {
        "bridge.cycle",
        *STEPS,
        "create rpa.urgent",
        "create rpa.unrouted",
        "send rpa.urgent",
        "send rpa.unrouted",
    }


@pytest.mark.parametrize("run_pass", [run_cycle, run_atomic_cycle])
async def test_a_pass_that_finds_nothing_has_asked_the_platform_and_nobody_else(run_pass: Callable[..., Any]) -> None:
    """Most passes of an idle trigger: a thousand of them poll, and steps without work would hide those with some."""
    world, seen = World(), Seen()
    await run_pass(world.plan, Generation(0), world.memory, world.neighbours, seen.signals)
    assert [span.name for span in seen.finished] == ["fetch", "bridge.cycle"]


async def test_each_record_has_a_create_span_that_its_header_names() -> None:
    """D10a: a consumer joins the span of its own record."""
    world, seen = World(), Seen()
    mixed(world)
    await run(world, seen)
    publish = seen.one("publish")
    made = {f"{context(span).span_id:016x}": span for span in seen.finished if span.name.startswith("create ")}
    assert len(made) == len(world.log.records) == 4
    for record in world.log.records:
        version, trace_id, span_id, flags = dict(record.headers)["traceparent"].decode().split("-")
        span = made[span_id]
        assert (version, trace_id) == ("00", f"{context(span).trace_id:032x}")
        assert int(flags, 16) & TraceFlags.SAMPLED
        assert parent_id(span) == context(publish).span_id
        assert span.kind is SpanKind.PRODUCER
        assert dict(span.attributes or {}) == {
            "messaging.system": "kafka",
            "messaging.operation.name": "create",
            "messaging.operation.type": "create",
            "messaging.destination.name": record.topic,
            "messaging.message.id": dict(record.headers)["ce_id"].decode(),
            "bridge.comment_uid": record.uid,
            "bridge.route": record.route,
        }


async def test_each_topic_has_a_send_span_that_links_to_what_it_sends() -> None:
    world, seen = World(), Seen(tracing=BROKER)
    mixed(world)
    await run(world, seen)
    for topic, count in {"rpa.urgent": 3, "rpa.unrouted": 1}.items():
        send = seen.one(f"send {topic}")
        assert send.kind is SpanKind.CLIENT
        assert parent_id(send) == context(seen.one("publish")).span_id
        assert dict(send.attributes or {}) == {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": topic,
            "messaging.batch.message_count": count,
            "server.address": "kafka-0",
        }
        assert [link.context.span_id for link in send.links] == [
            context(span).span_id for span in seen.named(f"create {topic}")
        ]


async def test_a_send_can_link_to_each_record_of_the_largest_batch() -> None:
    world, seen = World(a_plan(batch_size=1024)), Seen(tracing=Tracing(records_max=1024))
    world.upload(1024)
    await run(world, seen)
    assert len(seen.one("send rpa.urgent").links) == 1024


async def test_of_a_large_batch_some_records_have_a_span_and_the_others_join_the_send_of_their_topic() -> None:
    """Every record leads to the trace of its pass; the cost of it is bounded."""
    world, seen = World(), Seen()
    world.upload(RECORDS_MAX + 5)
    await run(world, seen)
    created, send = seen.named("create rpa.urgent"), seen.one("send rpa.urgent")
    assert len(created) == len(send.links) == RECORDS_MAX
    assert send.kind is SpanKind.PRODUCER
    named = [dict(record.headers)["traceparent"].decode().split("-")[2] for record in world.log.records]
    assert named[:RECORDS_MAX] == [f"{context(span).span_id:016x}" for span in created]
    assert set(named[RECORDS_MAX:]) == {f"{context(send).span_id:016x}"}


def test_the_names_of_attributes_are_those_of_the_conventions() -> None:
    assert messaging.SYSTEM == convention.MESSAGING_SYSTEM
    assert messaging.OPERATION_NAME == convention.MESSAGING_OPERATION_NAME
    assert messaging.OPERATION_TYPE == convention.MESSAGING_OPERATION_TYPE
    assert messaging.DESTINATION == convention.MESSAGING_DESTINATION_NAME
    assert messaging.MESSAGE_ID == convention.MESSAGING_MESSAGE_ID
    assert messaging.MESSAGE_COUNT == convention.MESSAGING_BATCH_MESSAGE_COUNT
    assert messaging.SERVER_ADDRESS == server_attributes.SERVER_ADDRESS
    assert messaging.ERROR_TYPE == error_attributes.ERROR_TYPE
    types = {one.value for one in convention.MessagingOperationTypeValues}
    assert {"create", "send"} <= types
    assert convention.MessagingSystemValues.KAFKA.value == "kafka"


async def test_a_pass_that_is_not_sampled_makes_no_span_of_its_steps() -> None:
    """They would be thrown away; the platform's request carries the pass's own context, as not sampled."""
    seen = Seen(ALWAYS_OFF)
    with seen.signals.cycle(a_plan().name) as traceparent, seen.signals.step(a_plan().name, "fetch"):
        carried = trace_headers()["traceparent"]
    assert carried == traceparent
    assert not int(carried.rpartition("-")[2], 16) & TraceFlags.SAMPLED


async def test_what_another_process_does_not_sample_may_be_sampled_here() -> None:
    """The sampler decides, by the standard variables; a parent that is not ours settles nothing before it is asked."""
    seen = Seen(ALWAYS_ON)
    theirs = SpanContext(trace_id=1, span_id=2, is_remote=True, trace_flags=TraceFlags(0))
    with use_span(NonRecordingSpan(theirs)), seen.signals.step(a_plan().name, "fetch"):
        pass
    assert parent_id(seen.one("fetch")) == 2


async def test_without_sampling_records_carry_the_context_of_their_pass_and_no_span_is_made() -> None:
    world, seen = World(), Seen(ALWAYS_OFF)
    mixed(world)
    await run(world, seen)
    assert seen.finished == ()
    carried = {dict(record.headers)["traceparent"].decode() for record in world.log.records}
    assert len(carried) == 1
    assert not int(carried.pop().rpartition("-")[2], 16) & TraceFlags.SAMPLED


async def test_the_spans_of_records_can_be_left_out() -> None:
    """Then a consumer joins the send span of its topic, which is a producer's by that."""
    world, seen = World(), Seen(tracing=Tracing(records_max=0))
    mixed(world)
    await run(world, seen)
    assert not [span for span in seen.finished if span.name.startswith("create")]
    for record in world.log.records:
        send = seen.one(f"send {record.topic}")
        assert send.kind is SpanKind.PRODUCER
        assert dict(record.headers)["traceparent"].decode().split("-")[2] == f"{context(send).span_id:016x}"


async def test_a_record_differs_by_its_trace_context_alone() -> None:
    sampled, unsampled = World(), World()
    for world, seen in ((sampled, Seen()), (unsampled, Seen(ALWAYS_OFF))):
        mixed(world)
        await run(world, seen)
    for one, other in zip(sampled.log.records, unsampled.log.records, strict=True):
        assert (one.mark, one.key, one.value) == (other.mark, other.key, other.value)
        assert [name for name, _ in one.headers] == [name for name, _ in other.headers]
        different = {name for name, content in one.headers if dict(other.headers)[name] != content}
        assert different == {"traceparent"}


async def test_a_held_pass_shows_its_reason_on_its_spans_and_no_text() -> None:
    """I10."""
    world, seen = World(), Seen()
    world.upload(2, text="a secret in the mail")
    world.log.fates[0] = (Outcome.UNKNOWN, False)
    with pytest.raises(Retry):
        await run(world, seen)
    for name in ("bridge.cycle", "send rpa.urgent"):
        failed = seen.one(name)
        assert failed.status.status_code is StatusCode.ERROR
        assert failed.status.description == "unknown"
        assert (failed.attributes or {})["error.type"] == "unknown"
    assert "secret" not in seen.everything()


async def test_a_refusal_of_the_broker_is_on_every_span_above_it() -> None:
    world, seen = World(), Seen()
    world.upload(1)
    world.log.refusals.append(Retry("no broker", code="broker_unavailable"))
    with pytest.raises(Retry):
        await run(world, seen)
    failed = {span.name for span in seen.finished if span.status.status_code is StatusCode.ERROR}
    assert failed == {"send rpa.urgent", "publish", "bridge.cycle"}


async def test_a_transaction_has_the_same_spans_and_a_take_over() -> None:
    """D3."""
    world, seen = World(a_plan(delivery=DeliveryMode.EXACTLY_ONCE)), Seen()
    mixed(world)
    await run_atomic_cycle(world.plan, Generation(0), world.memory, world.neighbours, seen.signals)
    names = [span.name for span in seen.finished]
    assert names.count("fetch") == 2
    assert {"take_over", "decide", "publish", "advance", "send rpa.urgent", "create rpa.urgent"} <= set(names)
    assert len(seen.named("create rpa.urgent")) == 3
    assert seen.one("take_over").kind is SpanKind.CLIENT


async def test_a_reset_is_one_trace_of_its_steps() -> None:
    world, seen = World(), Seen()
    world.signals = seen.signals
    reset = Reset(
        id="r-1",
        to_comment_created_at=datetime(2020, 6, 1, tzinfo=UTC),
        requested_at=world.clock.now(),
        requested_by="ann",
    )
    world.store.standings[world.plan.name] = Standing().with_reset(reset)
    async with world.running() as supervisor:
        await world.until(lambda: supervisor.worker(world.plan.name).keeper.standing.open_reset is None)
    whole = seen.one("bridge.reset")
    assert dict(whole.attributes or {}) == {"bridge.trigger": "disputes", "bridge.reset_id": "r-1"}
    steps = [span for span in seen.finished if parent_id(span) == context(whole).span_id]
    assert [(step.name, step.kind) for step in by_start(steps)] == [
        ("hold", SpanKind.INTERNAL),
        ("begin", SpanKind.INTERNAL),
        ("reset_platform", SpanKind.CLIENT),
    ]


def by_start(spans: list[ReadableSpan]) -> list[ReadableSpan]:
    return sorted(spans, key=lambda span: span.start_time or 0)


async def test_the_platforms_status_is_on_the_span_of_its_step() -> None:
    seen = Seen()
    with seen.signals.step(a_plan().name, "fetch"):
        seen.signals.platform_answered("fetch", "503")
    assert (seen.one("fetch").attributes or {})["http.response.status_code"] == 503
