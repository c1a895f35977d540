"""What being seen costs: the same passes with nothing, with metrics, and with traces of a tenth of them.

Prints one JSON object and ends with 1 where a share is over its limit. Run: `python -m tests.bench.telemetry_bench`;
`--quick` takes a fifth of the time. CPU time of this process, the exporter's thread included. A pass decodes a real
page of 2 KB results, decides, and packs and compresses real Kafka batches; the neighbours themselves are not there.
The variants take turns pass by pass, in another order each time, so that a slow moment of the machine falls on all and
none always runs in what another has left of the caches; a round has ten passes of each, and the figure is the median of
the ratios of one round. By tens the same variant, taken twice, differed by up to 1.4 %, pass by pass by up to 0.7 %.

`nothing` counts nothing, has no spans and no trace context on its records. Logs are written by all. `header` is
`nothing` with a trace context on each record, which is part of what metrics and traces cost; `every record` has a span
for each record. Neither has a limit.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import cast

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, NoOpTracerProvider, SpanKind, Tracer, TraceState
from opentelemetry.util.types import Attributes
from typing_extensions import override

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.directory import Shape
from bridge.adapters.kafka.packing import lanes_for
from bridge.adapters.platform.wire import decode_page
from bridge.app.memory import keep_freed_memory, spare_the_collector
from bridge.app.telemetry.logs import make_logger
from bridge.app.telemetry.metrics import Joined, JoinedPrometheusReader
from bridge.app.telemetry.traces import LINKS_MAX, QUEUE_MAX, BoundedProcessor, PassingTracer
from bridge.domain.decide import Decision as Decided
from bridge.domain.delivery import Delivery, MarkKey, Outcome, Receipt
from bridge.domain.model import Batch, Generation, SequenceId, TriggerName, TriggerRef
from bridge.domain.plan import TriggerPlan
from bridge.domain.settle import Settled
from bridge.engine.cycle import Memory, Neighbours, run_cycle
from bridge.signals import Logger, Signals, Tracing
from bridge.signals.messaging import RECORDS_MAX, Sending
from tests.fakes.plans import a_plan
from tests.fakes.transactions import FakeTransactions
from tests.unit.platform.pages import a_result, page_of

SIZES = (512, 1)
ROUNDS = 50
SAMPLED_ONE_IN = 10
A_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LIMITS = {"metrics": 0.05, "traces": 0.10}
LIMIT_SIZE = 512
"""The limits are those of the default batch; what a batch of one result costs is told beside them."""

WORDS = "please settle the trade of last week, the counterparty says that nothing has arrived so far; "
ROUTES = {"urgent": "Trade > L2", "trades": "Trade > L1", "rare": "Other > Thing"}


class Neighbour:
    """Platform, broker and ledger, as far as their work is ours: decoding, packing, compressing."""

    def __init__(self, size: int) -> None:
        message = [{"body": {"text": (WORDS * 20)[:1300]}}]
        labels = [{"name": ["Trade", f"L{n}"], "probability": 0.45 + n / 10} for n in range(3)]
        raws = [json.dumps(a_result(n, comment={"messages": message}, labels=labels)).encode() for n in range(size)]
        self._page = page_of(*raws)
        self._shape = Shape(partitions=6, batch_bytes_max=900_000)

    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        return decode_page(self._page, size)

    async def advance(self, trigger: TriggerRef, settled: Settled) -> None:
        """Moved."""

    async def reset(self, trigger: TriggerRef, to_comment_created_at: object) -> SequenceId:
        raise NotImplementedError

    def prepare(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        return deliveries

    async def publish(self, deliveries: Sequence[Delivery]) -> Sequence[Receipt]:
        shapes = {delivery.topic: self._shape for delivery in deliveries}
        for lane in lanes_for(deliveries, shapes, dict.fromkeys(shapes, 0), "zstd", 1_600_000_000_000):
            lane.pack()
            for parcel in lane.parcels:
                parcel.batch.written()
        return [
            Receipt(mark=one.mark, outcome=Outcome.ACKED, topic=one.topic, partition=0, offset=offset)
            for offset, one in enumerate(deliveries)
        ]

    async def marked(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> frozenset[MarkKey]:
        return frozenset()

    async def mark(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> None:
        """Marked."""


class OneIn(Sampler):
    """Every tenth pass and not about a tenth: the figure must not depend on chance."""

    def __init__(self, every: int) -> None:
        self._every, self._seen = every, 0

    @override
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        self._seen += 1
        taken = self._seen % self._every == 0
        return SamplingResult(Decision.RECORD_AND_SAMPLE if taken else Decision.DROP, attributes)

    @override
    def get_description(self) -> str:
        return f"one in {self._every}"


class Encoder(SpanExporter):
    """What an exporter costs this process but for the socket."""

    spans = 0

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        self.spans += len(spans)
        return SpanExportResult.SUCCESS


class Unseen:
    """What a pass asks of Signals, without metrics and spans; what is counted beside the SDK is not counted either."""

    def __init__(self, log: Logger, traceparent: str = "") -> None:
        self._traceparent = traceparent
        self._log = Signals(NoOpMeterProvider().get_meter("bench"), NoOpTracerProvider().get_tracer("bench"), log)

    def cycle(self, _: TriggerName) -> AbstractContextManager[str]:
        return nullcontext(self._traceparent)

    def step(self, _: TriggerName, __: str) -> AbstractContextManager[None]:
        return nullcontext()

    def fetched(self, trigger: TriggerName, batch: Batch) -> None:
        """Not counted."""

    def publishing(self, _: TriggerName, deliveries: Sequence[Delivery]) -> AbstractContextManager[Sending]:
        return nullcontext(Sending(deliveries))

    def published(self, trigger: TriggerName, deliveries: Sequence[Delivery], receipts: Sequence[Receipt]) -> None:
        """Not counted."""

    def advanced(
        self, trigger: TriggerName, batch: Batch, decision: Decided, sent: int, seconds: float, generation: int
    ) -> None:
        self._log.advanced(trigger, batch, replace(decision, probabilities={}), sent, seconds, generation)


def _dropped(spans: int, reason: str) -> None:
    raise AssertionError(f"{spans} spans dropped: {reason}")


class Variant:
    """One way of being seen, over the same passes."""

    def __init__(self, size: int, signals: Signals, flush: Callable[[], object]) -> None:
        neighbour = Neighbour(size)
        self._plan: TriggerPlan = a_plan(ROUTES, batch_size=size)
        self._neighbours = Neighbours(
            source=neighbour,
            publisher=neighbour,
            transactions=FakeTransactions(),
            ledger=neighbour,
            clock=SystemClock(),
        )
        self._signals = signals
        self._flush = flush

    async def cpu_s(self, passes: int, *, flushed: bool = True) -> float:
        began = time.process_time()
        for _ in range(passes):
            # The page is the same every time: with what was seen of it, it would be a move backwards.
            await run_cycle(self._plan, Generation(0), Memory(), self._neighbours, self._signals)
        if flushed:
            self._flush()
        return time.process_time() - began


def variants(size: int, log: Logger) -> dict[str, Variant]:
    """Metrics and no exporter of traces is what runs without any OTEL_ variable."""

    def metered(tracer: Tracer, records_max: int = RECORDS_MAX) -> Signals:
        meters = MeterProvider(metric_readers=[JoinedPrometheusReader(Joined())], shutdown_on_exit=False)
        return Signals(meters.get_meter("bench"), tracer, log, Tracing(records_max=records_max))

    def sampled(records_max: int) -> Variant:
        tracers = TracerProvider(
            sampler=ParentBased(OneIn(SAMPLED_ONE_IN)),
            resource=Resource({"service.name": "bridge"}),
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_links=LINKS_MAX),
        )
        tracers.add_span_processor(BoundedProcessor(Encoder(), QUEUE_MAX, _dropped))
        return Variant(size, metered(tracers.get_tracer("bench"), records_max), tracers.force_flush)

    def unseen(traceparent: str) -> Variant:
        return Variant(size, cast("Signals", Unseen(log, traceparent)), lambda: None)

    return {
        "nothing": unseen(""),
        "header": unseen(A_TRACEPARENT),
        "metrics": Variant(size, metered(PassingTracer()), lambda: None),
        "traces": sampled(RECORDS_MAX),
        "every record": sampled(1_024),
    }


async def measured(size: int, rounds: int, log: Logger) -> dict[str, float]:
    """Shares over the passes without anything, and microseconds a pass."""
    compared = variants(size, log)
    in_a_turn = 1 if size > 1 else 20
    for one in compared.values():
        await one.cpu_s(SAMPLED_ONE_IN * in_a_turn)
    gc.collect()
    gc.freeze()
    order = random.Random(0)
    rounded = [await a_round(compared, in_a_turn, order) for _ in range(rounds)]
    ratios = {name: [costs[name] / costs["nothing"] for costs in rounded] for name in compared if name != "nothing"}
    return {f"{name}_share": round(statistics.median(each) - 1, 4) for name, each in ratios.items()} | {
        f"{name}_us_a_pass": round(statistics.median(costs[name] for costs in rounded) * 1e6) for name in compared
    }


async def a_round(compared: dict[str, Variant], in_a_turn: int, order: random.Random) -> dict[str, float]:
    """Seconds a pass. One turn of each variant is sampled; the last one pays for what is still to be exported."""
    taken = dict.fromkeys(compared, 0.0)
    for turn in range(SAMPLED_ONE_IN):
        for name in order.sample(list(compared), len(compared)):
            taken[name] += await compared[name].cpu_s(in_a_turn, flushed=turn == SAMPLED_ONE_IN - 1)
    return {name: cost / SAMPLED_ONE_IN / in_a_turn for name, cost in taken.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="telemetry_bench")
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds")
    rounds = ROUNDS // 5 if parser.parse_args().quick else ROUNDS
    spare_the_collector()
    keep_freed_memory(os.environ)
    out = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:  # the log's lines are written, and not in the way of the figures
        os.dup2(nowhere.fileno(), 1)
        figures = {size: asyncio.run(measured(size, rounds, make_logger())) for size in SIZES}
        sys.stdout.flush()
        os.dup2(out, 1)
    over = [name for name, limit in LIMITS.items() if figures[LIMIT_SIZE][f"{name}_share"] > limit]
    print(json.dumps({"rounds": rounds, "results_a_pass": figures, "limits": LIMITS, "over": over}))
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
