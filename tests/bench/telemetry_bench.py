"""What being seen costs: the same passes with nothing, with metrics, and with traces of a tenth of them.

Prints one JSON object and ends with 1 where a share is over its limit. Run: `python -m tests.bench.telemetry_bench`;
`--quick` takes a fifth of the time. CPU time of this process, the exporter's thread included. A pass decodes a real
page of 2 KB results, decides, and packs and compresses real Kafka batches; the neighbours themselves are not there.
The variants take turns in every round, so that a slow moment of the machine falls on all; the figure is the median of
the ratios of one round. Logs are written in all of them. `every record` has a span for each record: no limit, told.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

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
from bridge.app.telemetry.logs import make_logger
from bridge.app.telemetry.metrics import Joined, JoinedPrometheusReader
from bridge.app.telemetry.traces import LINKS_MAX, QUEUE_MAX, BoundedProcessor, PassingTracer
from bridge.domain.delivery import Delivery, MarkKey, Outcome, Receipt
from bridge.domain.model import Batch, Generation, SequenceId, TriggerRef
from bridge.domain.plan import TriggerPlan
from bridge.domain.settle import Settled
from bridge.engine.cycle import Memory, Neighbours, run_cycle
from bridge.signals import Logger, Signals, Tracing
from bridge.signals.messaging import RECORDS_MAX
from tests.fakes.plans import a_plan
from tests.fakes.transactions import FakeTransactions
from tests.unit.platform.pages import a_result, page_of

SIZES = (512, 1)
ROUNDS = 50
SAMPLED_ONE_IN = 10
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

    async def cpu_s(self, passes: int) -> float:
        began = time.process_time()
        for _ in range(passes):
            # The page is the same every time: with what was seen of it, it would be a move backwards.
            await run_cycle(self._plan, Generation(0), Memory(), self._neighbours, self._signals)
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

    nothing = Signals(NoOpMeterProvider().get_meter("bench"), NoOpTracerProvider().get_tracer("bench"), log)
    return {
        "nothing": Variant(size, nothing, lambda: None),
        "metrics": Variant(size, metered(PassingTracer()), lambda: None),
        "traces": sampled(RECORDS_MAX),
        "every record": sampled(1_024),
    }


async def measured(size: int, rounds: int, log: Logger) -> dict[str, float]:
    """Shares over the passes without anything, and microseconds a pass."""
    compared = variants(size, log)
    passes = SAMPLED_ONE_IN * (1 if size > 1 else 20)
    for one in compared.values():
        await one.cpu_s(passes)
    gc.collect()
    gc.freeze()
    taken: dict[str, list[float]] = {name: [] for name in compared}
    for turn in range(rounds):
        names = list(compared)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            taken[name].append(await compared[name].cpu_s(passes))
    shares = {
        f"{name}_share": round(
            statistics.median(cost / base for cost, base in zip(taken[name], taken["nothing"], strict=True)) - 1, 4
        )
        for name in compared
        if name != "nothing"
    }
    return shares | {
        f"{name}_us_a_pass": round(statistics.median(costs) / passes * 1e6) for name, costs in taken.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="telemetry_bench")
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds")
    rounds = ROUNDS // 5 if parser.parse_args().quick else ROUNDS
    gc.set_threshold(50_000, 20, 20)
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
