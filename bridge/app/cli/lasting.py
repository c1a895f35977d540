"""What commands that read for long have in common: instants from the command line, and a bar on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bridge.adapters.clock import SystemClock
from bridge.app.cli.exits import refuse
from bridge.app.config.settings import Settings
from bridge.app.config.values import did_you_mean, duration_s
from bridge.domain.instant import parse_instant
from bridge.domain.plan import TriggerPlan

INSTANT_HELP = "An instant (2026-01-05T09:00Z) or how long ago (90m, 24h, 7d)"


def instant(text: str, option: str) -> datetime | None:
    """None where nothing was said. Ends the command where it is no instant."""
    if not text:
        return None
    known = parse_instant(text)
    if known is not None:
        return known
    try:
        return SystemClock().now() - timedelta(seconds=duration_s(text))
    except (ValueError, OverflowError) as error:
        raise refuse(f"{option} {text}: neither an instant such as 2026-01-05T09:00Z nor a time such as 24h") from error


def plan_named(settings: Settings, name: str) -> TriggerPlan:
    """Ends the command where there is no such trigger."""
    found = next((plan for plan in settings.triggers if plan.name == name), None)
    if found is None:
        raise refuse(f"no trigger {name}{did_you_mean(name, [str(plan.name) for plan in settings.triggers])}")
    return found


@contextmanager
def bar(doing: str, unit: str = "") -> Iterator[Callable[[int, int], None]]:
    """A function that is told how many of how many are done; shown on stderr, on a terminal only."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, whole: progress.update(task, completed=done, total=whole)
