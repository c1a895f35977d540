"""What remote commands print, as tables; every answer is read tolerantly, for it may be of another release."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.domain.instant import parse_instant

PIPE_WIDTH = 10_000
STYLES = {
    "running": "green",
    "idle": "green",
    "replaying": "cyan",
    "resetting": "cyan",
    "paused": "yellow",
    "throttled": "yellow",
    "blocked": "red",
    "failed": "bold red",
}
Row = Mapping[str, Any]


def console_for(*, stderr: bool = False) -> Console:
    """What a script reads is not cut to the width of a screen that is not there."""
    console = Console(stderr=stderr, soft_wrap=True, markup=False, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def table_of(columns: Sequence[str], rows: Iterable[Sequence[RenderableType]], right: Sequence[str] = ()) -> Table:
    """Without a box; `right` are columns of numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    for row in rows:
        table.add_row(*row)
    return table


def triggers_table(rows: Iterable[Row], rates: Mapping[str, float], now: datetime) -> Table:
    """All triggers, a line each; `rates` are results a second, where they are known."""
    columns = ("trigger", "state", "lag", "rate/s", "gen", "last advance", "owner", "reason")
    lines = [
        (
            text(row.get("name")),
            state_text(row),
            span(row.get("lag_seconds")),
            f"{rates[row['name']]:.1f}" if row.get("name") in rates else "",
            text(row.get("generation")),
            ago(row.get("last_advance"), now),
            text(row.get("owner")),
            text(row.get("reason")),
        )
        for row in rows
    ]
    return table_of(columns, lines, right=("lag", "rate/s", "gen", "last advance"))


def trigger_lines(row: Row, rate: float | None, now: datetime) -> Table:
    """One trigger, a fact a line."""
    error, reset = row.get("last_error") or {}, row.get("reset") or {}
    dead = row.get("dead_letters") or {}
    facts: list[tuple[str, RenderableType]] = [
        (
            "trigger",
            f"{text(row.get('name'))} ({'/'.join(text(row.get(key)) for key in ('project', 'dataset', 'trigger'))})",
        ),
        ("state", state_text(row)),
        ("reason", text(row.get("reason"))),
        ("next attempt", text(row.get("next_attempt"))),
        ("owner", text(row.get("owner"))),
        ("delivery", text(row.get("delivery"))),
        ("generation", text(row.get("generation"))),
        ("position", text(row.get("position"))),
        ("lag", span(row.get("lag_seconds"))),
        ("rate", "" if rate is None else f"{rate:.1f} results/s"),
        ("last advance", ago(row.get("last_advance"), now)),
        ("results", counts(row, ("results", "unmatched", "filtered", "skipped_duplicates"))),
        ("dead letters", ", ".join(f"{reason} {count}" for reason, count in sorted(dead.items()))),
        (
            "last error",
            f"{text(error.get('code'))}: {text(error.get('message'))} ({ago(error.get('at'), now)})" if error else "",
        ),
        ("paused by", text(row.get("paused_by"))),
        ("reset", reset_sentence(reset) if reset else ""),
    ]
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, fact in facts:
        if fact:
            table.add_row(Text(name, style="bold"), fact)
    return table


def routes_table(row: Row) -> Table:
    """The routes of a trigger and what went along them since its owner began."""
    lines = [
        (
            text(route.get("name")),
            text(route.get("topic")),
            text(route.get("published")),
            "shadow" if route.get("shadow") else "",
        )
        for route in row.get("routes") or ()
    ]
    return table_of(("route", "topic", "records", ""), lines, right=("records",))


def deliveries_table(rows: Iterable[Row]) -> Table:
    """Where a comment went."""
    columns = ("written", "trigger", "route", "gen", "topic", "partition", "offset", "dead letter for")
    keys = ("written_at", "trigger", "route", "generation", "topic", "partition", "offset", "reason")
    return table_of(
        columns, [[text(row.get(key)) for key in keys] for row in rows], right=("gen", "partition", "offset")
    )


def reset_sentence(reset: Row) -> str:
    """A reset in one line."""
    share = reset.get("share_replayed")
    parts = [
        f"{text(reset.get('id'))} to {text(reset.get('to_comment_created_at'))}",
        f"until {reset['until']}" if reset.get("until") else "",
        f"on topics {reset['topic_prefix']}*" if reset.get("topic_prefix") else "",
        f"by {text(reset.get('requested_by'))}",
        f"{text(reset.get('phase'))}, {text(reset.get('replayed'))} replayed",
        f"about {share:.0%}" if isinstance(share, float) else "",
        f"cancelled by {reset['cancelled_by']}" if reset.get("cancelled_by") else "",
        text(reset.get("error")),
    ]
    return ", ".join(filter(None, parts))


def state_text(row: Row) -> Text:
    """In its colour."""
    state = text(row.get("state"))
    return Text(state, style=STYLES.get(state, ""))


def text(value: object) -> str:
    """Empty for nothing."""
    return "" if value is None else str(value)


def counts(row: Row, keys: Sequence[str]) -> str:
    """Those that are not nought, in words."""
    said = [f"{row[key]} {key.replace('_', ' ')}" for key in keys if row.get(key)]
    return ", ".join(said)


def span(seconds: object) -> str:
    """Seconds as people say them: 0 s, 12 s, 3 m, 5 h, 2 d."""
    if not isinstance(seconds, int | float):
        return ""
    for limit, unit, size in ((120, "s", 1), (7200, "m", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def ago(instant: object, now: datetime) -> str:
    """How long before now."""
    known = parse_instant(instant) if isinstance(instant, str) else None
    return f"{span(max(0.0, (now - known).total_seconds()))} ago" if known else ""
