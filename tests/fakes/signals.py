"""Signals that go nowhere but into a list of log lines."""

from __future__ import annotations

from typing import Any

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from bridge.signals import Logger, Signals


class ListLogger:
    """Every line as (level, event, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def bind(self, **fields: Any) -> Logger:
        return self

    def debug(self, event: str, **fields: Any) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append(("error", event, fields))

    def events(self, event: str) -> list[dict[str, Any]]:
        """The fields of every line of that event."""
        return [fields for _, name, fields in self.lines if name == event]


def quiet_signals() -> tuple[Signals, ListLogger]:
    log = ListLogger()
    return Signals(NoOpMeterProvider().get_meter("test"), NoOpTracerProvider().get_tracer("test"), log), log
