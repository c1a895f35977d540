"""JSON lines on standard output, pretty on a terminal. Libraries' own warnings come out the same way."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from traceback import extract_tb
from types import TracebackType
from typing import TypeAlias

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger
from typing_extensions import override

REPEATS_MAX = 5
WINDOW_S = 60.0
"""Of warnings and errors that say the same, so many come through in so long."""

TOLD_MAX = 4_096
"""Different lines that are remembered; past it the count begins anew."""

FOREIGN_CHARS_MAX = 500

SAME_BY = ("event", "trigger", "code", "reason", "task", "logger")
"""Lines with these fields equal say the same; numbers and sentences may differ."""

ExcInfo: TypeAlias = (
    bool
    | BaseException
    | tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[None, None, None]
    | None
)


def make_logger() -> structlog.stdlib.BoundLogger:
    """Sets logging up for the whole process."""
    repeats = Repeats(perf_counter)
    named: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level]
    shared: list[Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_trace_ids,
        where_it_happened,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer() if sys.stdout.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*named, repeats, *shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(ForeignRepeats(repeats))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*named, structlog.stdlib.add_logger_name, first_line, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    # A line that cannot be written, to a closed pipe say, would else be put on standard error as it came (I10).
    logging.raiseExceptions = False
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # aiokafka repeats each connection error per attempt; what matters of it reaches us as an error and is logged once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger


@dataclass(slots=True)
class _Told:
    since_s: float
    lines: int = 0
    left_out: int = 0


class Repeats:
    """Leaves out what was said often enough lately; the next line that comes through says how many were left out."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._told: dict[tuple[object, ...], _Told] = {}
        self._lock = threading.Lock()

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        """As a processor of structlog."""
        if event.get("level") not in ("warning", "error", "critical"):
            return event
        left_out = self.left_out_before(tuple(str(event.get(name)) for name in SAME_BY))
        if left_out is None:
            raise structlog.DropEvent
        if left_out:
            event["left_out"] = left_out
        return event

    def left_out_before(self, same: tuple[object, ...]) -> int | None:
        """How many like this one were left out since the last that was not; None where this one is to be."""
        with self._lock:
            now_s = self._monotonic_s()
            if len(self._told) >= TOLD_MAX:
                self._told.clear()
            told = self._told.setdefault(same, _Told(now_s))
            if now_s - told.since_s >= WINDOW_S:
                told.since_s, told.lines = now_s, 0
            if told.lines >= REPEATS_MAX:
                told.left_out += 1
                return None
            told.lines += 1
            left_out, told.left_out = told.left_out, 0
            return left_out


class ForeignRepeats(logging.Filter):
    """The same for the lines of libraries, by their template."""

    def __init__(self, repeats: Repeats) -> None:
        super().__init__()
        self._repeats = repeats

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        left_out = self._repeats.left_out_before((record.name, record.levelno, record.msg))
        if left_out:
            record.left_out = left_out
        return left_out is not None


def first_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Of what a library says: asyncio puts the words of a lost exception behind it, and those may be anything (I10)."""
    record: logging.LogRecord = event["_record"]
    event["event"] = str(event["event"]).split("\n", 1)[0][:FOREIGN_CHARS_MAX]
    if left_out := getattr(record, "left_out", 0):
        event["left_out"] = left_out
    return event


def add_trace_ids(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """So that a line leads to its trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def where_it_happened(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """An exception by its type and its place, not in its words: those may quote the value it tripped over (I10)."""
    error = _raised(event.pop("exc_info", None))
    if error is not None:
        event["error_type"] = type(error).__name__
        event["where"] = places(error)
    return event


def places(error: BaseException) -> list[str]:
    """The frames it came through."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in extract_tb(error.__traceback__)]


def _raised(given: ExcInfo) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1]
    return sys.exc_info()[1] if given else None
