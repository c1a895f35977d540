"""What the demo shows: steps with their seconds, a live table, and at the end what happened and what to try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.app.demo.scenario import Scenario, in_words
from bridge.app.demo.verdict import Seen
from bridge.ports import Clock

ROUTES_SHOWN_MAX = 24
REFRESH_PER_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One look at the running demo. `by_route` counts records found on topics, `shadowed` what the bridge says."""

    state: str
    reason: str = ""
    lag_s: float = 0.0
    results: int = 0
    expected_records: int = 0
    arrived_records: int = 0
    rate_per_s: float = 0.0
    dead_letters: int = 0
    by_route: Mapping[str, int] = field(default_factory=dict)
    shadowed: Mapping[str, int] = field(default_factory=dict)


class Screen:
    """Over one console; with `json` that is standard error, so that standard output has the summary alone."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self.doing = "starting"

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One step: a spinner while it lasts, a line with its seconds when it is done."""
        self.doing = what
        began = self._clock.monotonic_s()
        with self._console.status(escape(what)):
            yield
        seconds = self._clock.monotonic_s() - began
        self._console.print(f"[green]✓[/] {escape(what)} [dim]{seconds:.1f} s[/]", highlight=False)

    def say(self, text: str) -> None:
        """A line."""
        self._console.print(escape(text), highlight=False)

    @contextmanager
    def live(self, scenario: Scenario, what: str) -> Iterator[LiveTable]:
        """A table that follows the moments it is given."""
        self.doing = what
        with Live(console=self._console, refresh_per_second=REFRESH_PER_S, transient=False) as live:
            yield LiveTable(live, scenario)

    def explain(self, examples: Sequence[Seen]) -> None:
        """Why records landed where they did."""
        lines: list[RenderableType] = []
        for seen in examples:
            lines += [Text.assemble(("“" + seen.subject + "”", "italic")), Text(f"   → {seen.topic}: {because(seen)}")]
        if lines:
            self._console.print(Panel(Group(*lines), title="Why it landed there", title_align="left"))

    def offer(self, lines: Sequence[tuple[str, str]]) -> None:
        """What to try next: a purpose and a command each, unwrapped and without a frame, to be copied."""
        self._console.print("[bold]What to try next[/]")
        for purpose, command in lines:
            self._console.print(f"[dim]# {escape(purpose)}[/]", highlight=False, soft_wrap=True)
            self._console.print(escape(command), highlight=False, soft_wrap=True)


class LiveTable:
    """The table on the screen."""

    def __init__(self, live: Live, scenario: Scenario) -> None:
        self._live = live
        self._scenario = scenario

    def show(self, moment: Moment) -> None:
        """Replaces what is shown."""
        self._live.update(Group(route_table(self._scenario, moment), _progress(moment)))


def route_table(scenario: Scenario, moment: Moment) -> Table:
    """Routes in their order; where there are very many, those that got most."""
    table = Table(
        title=f"trigger {scenario.trigger}: {moment.state}{_because(moment)}", title_justify="left", expand=True
    )
    # on a narrow terminal the rule gives way, the figures never
    for name, ratio in (("route", None), ("topic", None), ("rule", 1)):
        table.add_column(name, overflow="ellipsis", no_wrap=True, ratio=ratio)
    for name in ("published", "share"):
        table.add_column(name, justify="right", no_wrap=True)
    routes = list(scenario.routes)
    if len(routes) > ROUTES_SHOWN_MAX:
        routes = sorted(routes, key=lambda route: -moment.by_route.get(route.name, 0))[:ROUTES_SHOWN_MAX]
        table.caption = f"the {ROUTES_SHOWN_MAX} of {len(scenario.routes)} routes that got most"
    for route in routes:
        if route.shadow:
            would = moment.shadowed.get(route.name, 0)
            table.add_row(route.name, f"({route.topic})", in_words(route.when), f"would be {would}", "", style="dim")
        else:
            got = moment.by_route.get(route.name, 0)
            table.add_row(route.name, route.topic, in_words(route.when), f"{got}", _share(got, moment.results))
    unmatched = moment.by_route.get("unmatched", 0)
    share = _share(unmatched, moment.results)
    table.add_row("unmatched", scenario.unmatched_topic, "no other route", f"{unmatched}", share)
    table.add_row("dead letters", scenario.dead_topic, "what no topic can take", f"{moment.dead_letters}", "")
    return table


def _because(moment: Moment) -> str:
    return f" ({moment.reason})" if moment.reason else ""


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""


def _progress(moment: Moment) -> RenderableType:
    line = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=max(moment.expected_records, 1), completed=moment.arrived_records, width=40)
    figures = f"{moment.arrived_records}/{moment.expected_records} records · {moment.rate_per_s:.0f}/s"
    line.add_row(bar, Text(f"{figures} · lag {moment.lag_s:.1f} s"))
    return line


def because(seen: Seen) -> str:
    """The reason of one record in words."""
    if seen.dead:
        return f"{seen.error}, meant for {seen.meant_for}" if seen.meant_for else seen.error
    if seen.why:
        return ", ".join(f"{label} {chance:.2f} (wanted {low:g})" for label, chance, low in seen.why)
    best = ", ".join(f"{label} {chance:.2f}" for label, chance in seen.labels)
    return f"no route took it; the model's best were {best}" if best else "no route took it; the model saw no label"
