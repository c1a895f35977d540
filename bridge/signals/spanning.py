"""Spans of our own work and the seconds of its steps, as classes: a generator costs several times as much a step."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import Token
from time import perf_counter
from types import TracebackType

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, SpanKind, Tracer, get_current_span, set_span_in_context

from bridge.domain.errors import BridgeError
from bridge.domain.model import TriggerName
from bridge.signals.histograms import Series
from bridge.signals.messaging import fail, traceparent

LOCAL_STEPS = frozenset({"decide", "publish", "hold", "begin"})
"""Steps that ask no neighbour themselves; what `publish` sends has spans of its own."""


class Spanning:
    """A span that is the current one within, once. An error is told by its code, never in its words (I10)."""

    __slots__ = ("_span", "_token")

    def __init__(self, tracer: Tracer, name: str, kind: SpanKind, attributes: Mapping[str, str]) -> None:
        self._span = tracer.start_span(name, kind=kind, attributes=attributes)
        self._token: Token[Context] | None = None

    def __enter__(self) -> Span:
        if self._span is not get_current_span():
            self._token = attach(set_span_in_context(self._span))
        return self._span

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self._token is not None:
            detach(self._token)
        if isinstance(error, Exception):
            fail(self._span, error.code if isinstance(error, BridgeError) else "internal")
        self._span.end()


class Cycle:
    """The span of one pass; gives its `traceparent`."""

    __slots__ = ("_span",)

    def __init__(self, tracer: Tracer, trigger: TriggerName) -> None:
        self._span = Spanning(tracer, "bridge.cycle", SpanKind.INTERNAL, {"bridge.trigger": trigger})

    def __enter__(self) -> str:
        return traceparent(self._span.__enter__())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._span.__exit__(kind, error, at)


class Step:
    """One step of a pass: its span, and its seconds, however it ends.

    In a pass that nobody will see it has no span: one costs more than the rest of the step, and would be thrown away.
    """

    __slots__ = ("_began_s", "_seconds", "_seen", "_span")

    def __init__(self, tracer: Tracer, step: str, seconds: Series) -> None:
        self._span = None if is_unseen(get_current_span()) else step_span(tracer, step)
        self._seconds = seconds
        self._seen: Span | None = None
        self._began_s = perf_counter()

    def __enter__(self) -> None:
        if self._span is not None:
            self._seen = self._span.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._seconds.add(perf_counter() - self._began_s, self._seen)
        if self._span is not None:
            self._span.__exit__(kind, error, at)


def is_unseen(span: Span) -> bool:
    """Whether it is one of ours that is not sampled, or goes nowhere. What another process does not sample may be
    sampled here.
    """
    if span.is_recording():
        return False
    context = span.get_span_context()
    return context.is_valid and not context.is_remote


def step_span(tracer: Tracer, step: str) -> Spanning:
    """Of a step; what asks a neighbour is a client's call."""
    return Spanning(tracer, step, SpanKind.INTERNAL if step in LOCAL_STEPS else SpanKind.CLIENT, {})
