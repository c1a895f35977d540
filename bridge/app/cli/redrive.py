"""`bridge redrive`: dead letters, decided again by the rules of now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from bridge.app.cli.exits import Exit, load_or_exit, print_json, refuse
from bridge.app.cli.lasting import INSTANT_HELP, bar, instant, plan_named
from bridge.app.config.settings import Settings
from bridge.app.redriving import redriver
from bridge.domain.plan import TriggerPlan
from bridge.domain.redrive import REDRIVEN_MAX, Fate, RedriveReport, RedriveWish

SAID = {
    Fate.REDRIVEN: "sent to their topics",
    Fate.WOULD_REDRIVE: "would be sent to their topics",
    Fate.ALREADY_THERE: "on their topics already",
    Fate.NO_ROUTE: "no route takes them any more",
    Fate.STILL_DEAD: "fail again and stay where they are",
    Fate.NOT_RECOVERED: "cannot be had again: the letter has no result, and the platform none either",
    Fate.NOT_ACKED: "not acked: run it again, it looks first what is there",
}
FAILURES = (Fate.NOT_ACKED, Fate.NOT_RECOVERED, Fate.STILL_DEAD)


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: bridge redrive -c bridge.yaml --topic rpa.dead --dry-run")
    def redrive(
        config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file")],
        topic: Annotated[str, typer.Option(help="Dead letters of the triggers that send them there")] = "",
        trigger: Annotated[str, typer.Option("-t", "--trigger", help="Dead letters of this trigger")] = "",
        since: Annotated[str, typer.Option(help=f"Those written from then on. {INSTANT_HELP}")] = "",
        limit: Annotated[int, typer.Option(min=1, help="Most to send again, of each trigger")] = REDRIVEN_MAX,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    ) -> None:
        """Decide dead letters again and send what is missing on the topics the rules say.

        What is there already is not sent again, however often this runs. Dead letters without their result (too large
        ones) are asked of the platform. Ends with 1 where some stay dead or are not acked.
        """
        settings = load_or_exit(config)
        plans = _plans(settings, topic, trigger)
        wish = RedriveWish(since=instant(since, "--since"), limit=limit, dry_run=dry_run)
        reports = asyncio.run(_redriven(settings, plans, wish))
        if as_json:
            print_json({"dry_run": dry_run, "triggers": [report.as_json() for report in reports]})
        else:
            print("\n".join(line for report in reports for line in _as_text(report)))
        failed = any(report.stopped_by or any(item.fate in FAILURES for item in report.items) for report in reports)
        raise typer.Exit(Exit.FAILED if failed else Exit.FINE)


def _plans(settings: Settings, topic: str, trigger: str) -> Sequence[TriggerPlan]:
    if not topic and not trigger:
        raise refuse("name the dead letters: --topic rpa.dead or --trigger disputes")
    wanted = [plan_named(settings, trigger)] if trigger else list(settings.triggers)
    plans = [plan for plan in wanted if plan.dead_letter and topic in ("", plan.dead_letter.topic)]
    if not plans:
        raise refuse(f"no trigger of the configuration sends dead letters to {topic or 'any topic'}")
    return plans


async def _redriven(settings: Settings, plans: Sequence[TriggerPlan], wish: RedriveWish) -> list[RedriveReport]:
    async with redriver(settings) as redriving:
        reports = []
        for plan in plans:
            with bar(f"redriving {plan.name}", "dead letters") as told:
                reports.append(await redriving.redrive(plan, wish, told))
        return reports


def _as_text(report: RedriveReport) -> Iterator[str]:
    yield f"{report.trigger}: {len(report.items):,} dead letters"
    for fate in Fate:
        count = report.fates.get(fate.value, 0)
        if count:
            yield f"  {count:>7,}  {SAID[fate]}"
    for item in report.items:
        if item.fate in FAILURES:
            yield f"    {item.dead_letter}  {item.uid}  {item.fate.value}: {item.reason}"
    if report.unmarked:
        yield f"  {report.unmarked:,} records are acked and not marked: Redis did not answer"
    if report.stopped_by:
        yield f"  stopped by: {report.stopped_by}"
    if not report.is_whole:
        yield "  more are left: run it again"
