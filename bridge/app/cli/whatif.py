"""`bridge whatif`: new routes over results that are on the topics already."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from bridge.app.cli.exits import load_or_exit, print_json
from bridge.app.cli.lasting import INSTANT_HELP, bar, instant
from bridge.app.whatif import TriggerWhatif, WhatifOutcome, whatif
from bridge.domain.whatif import Change, Spread

LAST = 10_000


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("whatif", epilog="Example: bridge whatif -c new.yaml --last 10000")
    def what_if(
        config: Annotated[Path, typer.Option("-c", "--config", help="The configuration with the new routes")],
        last: Annotated[int, typer.Option(min=1, help="How many results, the newest, of each trigger")] = LAST,
        since: Annotated[str, typer.Option(help=f"Only those written from then on. {INSTANT_HELP}")] = "",
        topic: Annotated[
            list[str] | None, typer.Option(help="A topic the new routes no longer name (repeatable)")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    ) -> None:
        """Run new routes over results that are on the topics, and print what would move where. Publishes nothing.

        Results that no rule took and that were dropped are on no topic: what new routes would take of them is not
        counted.
        """
        settings = load_or_exit(config)
        with bar("reading the topics", "offsets") as told:
            outcome = asyncio.run(whatif(settings, last, instant(since, "--since"), topic or (), told))
        print_json(outcome.as_json()) if as_json else print("\n".join(_as_text(outcome)))


def _as_text(outcome: WhatifOutcome) -> Iterator[str]:
    for each in outcome.triggers:
        yield from _of_one(each)
    if outcome.missing:
        yield f"not there yet: {', '.join(outcome.missing)}"


def _of_one(each: TriggerWhatif) -> Iterator[str]:
    share = each.moved / each.results if each.results else 0.0
    yield f"{each.name}: {each.moved:,} of {each.results:,} results would go elsewhere ({share:.1%})"
    width = max((len(_named(change)) for change in each.changes), default=0)
    for change in each.changes:
        moves = f"+{change.gained:,} -{change.lost:,}" if change.gained or change.lost else "same"
        yield f"  {_named(change):<{width}}  {change.before:>8,} -> {change.after:>8,}  {moves}"
        spreads = _spreads(change.probabilities_before), _spreads(change.probabilities_after)
        if any(spreads):
            yield f"  {'':<{width}}  probability: {spreads[0] or 'none'} -> {spreads[1] or 'none'}"
    for sample in each.samples:
        yield f"  {sample.uid} ({sample.place})"
        yield from (f"    {reason}" for reason in sample.why)
    if not each.sees_unmatched:
        yield "  note: what no rule took is on no topic here; what the new routes would take of that is unknown"


def _named(change: Change) -> str:
    return f"{change.way.route} -> {change.way.topic}"


def _spreads(values: Sequence[float]) -> str:
    spread = Spread.of(values)
    if spread is None:
        return ""
    return f"mean {spread.mean:.3f}, p10 {spread.p10:.3f}, p50 {spread.p50:.3f}, p90 {spread.p90:.3f}"
