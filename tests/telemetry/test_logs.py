"""Repeats are left out and counted; a terminal gets lines for people, everything else gets JSON."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from bridge.app.telemetry.logs import REPEATS_MAX, TOLD_MAX, WINDOW_S, Repeats, make_logger
from bridge.app.telemetry.traces import PassingTracer


class Time:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def through(repeats: Repeats, level: str = "warning", **fields: object) -> dict[str, object] | None:
    try:
        return dict(repeats(None, "", {"event": "cycle_held", "level": level, **fields}))
    except structlog.DropEvent:
        return None


def test_what_repeats_is_left_out_and_the_next_line_says_how_often() -> None:
    time = Time()
    repeats = Repeats(time)
    said = [through(repeats, trigger="a", error=f"try {number}") for number in range(REPEATS_MAX + 7)]
    assert [line is not None for line in said] == [True] * REPEATS_MAX + [False] * 7
    time.now_s = WINDOW_S
    again = through(repeats, trigger="a")
    assert again is not None
    assert again["left_out"] == 7
    after = through(repeats, trigger="a")
    assert after is not None
    assert "left_out" not in after


def test_other_triggers_codes_and_events_are_no_repeats_and_information_never_is() -> None:
    repeats = Repeats(Time())
    for number in range(REPEATS_MAX + 3):
        assert through(repeats, trigger=f"t{number}")
        assert through(repeats, code=f"c{number}")
        assert through(repeats, level="info")


def test_what_is_remembered_is_bounded() -> None:
    repeats = Repeats(Time())
    for number in range(TOLD_MAX * 2):
        through(repeats, trigger=f"t{number}")
    assert len(repeats._told) <= TOLD_MAX


def test_lines_are_json_with_the_ids_of_their_trace(capsys: pytest.CaptureFixture[str]) -> None:
    log = make_logger()
    with PassingTracer().start_as_current_span("x") as span:
        log.warning("something", trigger="a")
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["level"], line["trigger"]) == ("something", "warning", "a")
    assert line["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert line["span_id"] == f"{span.get_span_context().span_id:016x}"
    assert line["timestamp"].endswith("Z")


def test_where_nothing_is_recorded_a_step_has_the_ids_of_its_pass_and_the_next_pass_has_others() -> None:
    tracer = PassingTracer()
    with tracer.start_as_current_span("pass") as whole, tracer.start_as_current_span("step") as step:
        assert step.get_span_context() == whole.get_span_context()
    with tracer.start_as_current_span("pass") as following:
        assert following.get_span_context().trace_id != whole.get_span_context().trace_id


def test_libraries_lines_are_json_too_and_their_repeats_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    make_logger()
    for number in range(REPEATS_MAX + 2):
        logging.getLogger("some.library").warning("attempt %d failed", number)
    logging.getLogger("some.library").info("chatter")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == [f"attempt {number} failed" for number in range(REPEATS_MAX)]
    assert {line["logger"] for line in lines} == {"some.library"}


def test_a_terminal_gets_lines_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    make_logger().warning("something", trigger="a")
    shown = capsys.readouterr().out
    assert not shown.startswith("{")
    assert "something" in shown
