"""`bridge audit`: what the topics prove."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from bridge.app.audit import AuditOutcome, AuditWish, audit
from bridge.app.cli.exits import Exit, load_or_exit, print_json
from bridge.app.cli.lasting import INSTANT_HELP, bar, instant, plan_named
from bridge.domain.audit_report import Audited, Cause
from bridge.domain.owed import PlatformFound, Untold

CAUSES = {
    Cause.OTHER_PRODUCER: "another producer wrote the copy: the one before was given up in doubt, or its process ended",
    Cause.NONE: "no cause on record: the same producer wrote both (marks lost in between, or a defect)",
    Cause.IN_TRANSACTIONS: "in committed transactions: a defect",
}

REASONS = {
    Untold.NO_UPLOAD_TIME: "the platform gives them no upload time",
    Untold.BEFORE_TRIGGER: "uploaded before the trigger was made and before all that it carried",
    Untold.SKIPPED: "uploaded before a reset that was allowed to skip",
    Untold.TOPICS_SHORTENED: "the topics no longer have all that was written then, or could not be read whole",
    Untold.POSITION_UNKNOWN: "nothing says how far the trigger was advanced",
    Untold.TRIGGER_CHANGED: "the trigger was changed since they were uploaded",
    Untold.FILTER: "the trigger has a comment filter that only the platform can decide",
    Untold.FILTER_UNKNOWN: "this platform does not show whether the trigger has a comment filter",
    Untold.NOT_PREDICTED: "gone meanwhile, or the platform predicts nothing for them",
    Untold.NAMELESS: "there are as many dead letters without a uid",
}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("audit", epilog="Example: bridge audit -c bridge.yaml --since 24h")
    def audit_topics(
        config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file")],
        since: Annotated[str, typer.Option(help=f"Read from then on. {INSTANT_HELP}")] = "",
        until: Annotated[str, typer.Option(help="Read up to then; to the end as it is now by default")] = "",
        trigger: Annotated[list[str] | None, typer.Option("-t", "--trigger", help="Only this one (repeatable)")] = None,
        topic: Annotated[list[str] | None, typer.Option(help="A topic the routes no longer name (repeatable)")] = None,
        platform: Annotated[bool, typer.Option("--platform", help="Ask the platform, too, what it has")] = False,
        repair: Annotated[bool, typer.Option("--repair", help="Rebuild the marks in Redis from the topics")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    ) -> None:
        """Read topics and position records back and say what they prove: lost, twice, out of order, complete up to.

        With --platform also which comments that the platform has were owed a record and have none; --since and --until
        are their upload times then, too, and no trigger's position moves. Ends with 0 where all is fine, 1 where
        something is lost, twice without a cause or out of order, 3 where a neighbour is missing. Changes nothing, but
        for marks with --repair.
        """
        settings = load_or_exit(config)
        named = frozenset(str(plan_named(settings, name).name) for name in trigger or ())
        wish = AuditWish(
            topics=frozenset(topic or ()),
            triggers=named,
            since=instant(since, "--since"),
            until=instant(until, "--until"),
            repair=repair,
            platform=platform,
        )
        doing, unit = ("reading topics, then comments", "") if platform else ("reading the topics", "offsets")
        with bar(doing, unit) as told:
            outcome = asyncio.run(audit(settings, wish, told))
        if as_json:
            print_json(outcome.as_json())
        else:
            print("\n".join(_as_text(outcome)))
        raise typer.Exit(Exit.FINE if outcome.is_fine else Exit.FAILED)


def _as_text(outcome: AuditOutcome) -> Iterator[str]:
    for each in outcome.audited:
        yield from _of_one(each)
    others = f", {outcome.others:,} others" if outcome.others else ""
    yield f"read {outcome.records:,} records of {len(outcome.topics)} topics{others}"
    for place, count in outcome.hidden.items():
        yield f"not judged: {count:,} offsets of {place} hide behind a transaction that stays open"
    if outcome.missing:
        yield f"not there: {', '.join(outcome.missing)}"
    for name, count in outcome.repaired.items():
        yield f"{name}: {count:,} marks written to Redis"
    yield "verdict: fine" if outcome.is_fine else "verdict: NOT fine"


def _of_one(each: Audited) -> Iterator[str]:
    current = ", current" if each.is_current else ""
    yield f"{each.trigger}, generation {each.generation}{current}: {'fine' if each.is_fine else 'NOT fine'}"
    yield f"  {each.results:,} results in {each.records:,} records, {each.reasons.total():,} of them dead letters" + (
        f", {each.redriven:,} redriven" if each.redriven else ""
    )
    for (topic, route), count in sorted(each.by_topic.items()):
        yield f"    {count:>9,}  {route} -> {topic}"
    yield f"  lost: {_lost(each)}"
    if each.unaccounted:
        yield f"  committed without a position record: {each.unaccounted:,}"
    yield f"  duplicates: {each.duplicates.total():,}"
    for cause, count in each.duplicates.items():
        yield f"    {count:>9,}  {CAUSES[cause]}"
    yield f"  out of order: {each.out_of_order:,}"
    yield from _asides(each)
    yield f"  complete up to: {_complete(each)}"
    if each.platform:
        yield from _of_platform(each.platform)
    for fault in each.samples:
        yield f"    {fault.kind.value}: {fault.where}: {fault.detail}"


def _of_platform(found: PlatformFound) -> Iterator[str]:
    yield f"  of {found.comments:,} comments of the platform: {found.carried:,} carried, {found.waiting:,} waiting," + (
        f" {found.not_owed:,} for no route, {found.lost:,} lost, {found.untold.total():,} not to be told"
    )
    for reason, count in found.untold.items():
        yield f"    {count:>9,}  not to be told: {REASONS[reason]}"
    for uid in found.lost_uids:
        yield f"    lost: {uid}"
    if found.lost > len(found.lost_uids):
        yield f"    and {found.lost - len(found.lost_uids):,} more"
    if found.sources_unseen:
        yield f"    not judged: {found.sources_unseen:,} sources of the dataset that the token may not see"


def _asides(each: Audited) -> Iterator[str]:
    if each.old_generation:
        yield f"  behind a later generation: {each.old_generation:,}"
    if each.unread_routes:
        routes = ", ".join(sorted(each.unread_routes))
        yield f"  not judged: position records speak of {routes}, and no topic that was read has any (--topic adds one)"
    if each.keys_moved:
        yield f"  keys found in several partitions, between which there is no order: {each.keys_moved:,}"
    if each.undated:
        yield f"  without an upload time, so of no known order: {each.undated:,}"


def _lost(each: Audited) -> str:
    if each.lost is not None:
        return f"{each.lost:,} of what {each.positions:,} position records promise"
    return "not to be told from the topics: no position record of this time is kept"


def _complete(each: Audited) -> str:
    if each.complete_up_to:
        return f"batch {each.complete_up_to}, by its position record"
    newest = f"; the youngest comment on the topics was uploaded at {each.newest_created_at}"
    return "not to be told without position records" + (newest if each.newest_created_at else "")
