"""`bridge status`, `pause`, `resume`, `reset` and `trace`: a running bridge, from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live

from bridge.adapters.clock import SystemClock
from bridge.app.cli.admin_link import URL, Admin, AsJson, Insecure, TokenFile, Url, with_admin
from bridge.app.cli.exits import Exit, refuse
from bridge.app.cli.lasting import INSTANT_HELP, instant
from bridge.app.cli.remote_reset import follow, wished
from bridge.app.cli.remote_views import (
    console_for,
    deliveries_table,
    reset_sentence,
    routes_table,
    trigger_lines,
    triggers_table,
)
from bridge.ports import Clock

WATCH_EVERY_S = 2.0
RATE_OVER_S = 1.0
Name = Annotated[str, typer.Argument(metavar="TRIGGER", help="Its name in the configuration")]
Reason = Annotated[str, typer.Option("--reason", help="For whoever finds it so, and for the history")]
Work = Callable[[Admin, Clock], Awaitable[Exit]]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status", epilog="Example: bridge status disputes --url http://127.0.0.1:8080")(status)
    app.command("pause", epilog='Example: bridge pause disputes --reason "month end"')(pause)
    app.command("resume", epilog="Example: bridge resume disputes")(resume)
    app.command(
        "reset",
        epilog='Example: bridge reset disputes --to 2026-01-05T09:00Z --until 24h --reason "a rule was wrong" --wait',
    )(reset)
    app.command("trace", epilog="Example: bridge trace 18ba5ce699f8da1f.0123")(trace)


def status(
    trigger: Annotated[str, typer.Argument(help="One trigger in detail; all of them without")] = "",
    url: Url = URL,
    token_file: TokenFile = None,
    allow_insecure: Insecure = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until it is interrupted")] = False,
    as_json: AsJson = False,
) -> None:
    """Show states, lag, rates, owners and reasons of all triggers, or one trigger in detail.

    The rate is measured while you wait a second; --json does not wait, and has counts.
    """
    if watch and as_json:
        raise refuse("--watch shows tables: leave out --json")
    _run(url, token_file, lambda admin, clock: show(admin, clock, trigger, watch, as_json), allow_insecure)


def pause(
    trigger: Name, url: Url = URL, token_file: TokenFile = None, allow_insecure: Insecure = False, reason: Reason = ""
) -> None:
    """Stop a trigger behind the pass in flight, until it is resumed; over restarts and moves to other replicas."""

    async def work(admin: Admin, _: Clock) -> Exit:
        await admin.post("triggers", trigger, "pause", body={"reason": reason})
        print(f"{trigger} is paused")
        return Exit.FINE

    _run(url, token_file, work, allow_insecure)


def resume(trigger: Name, url: Url = URL, token_file: TokenFile = None, allow_insecure: Insecure = False) -> None:
    """End a pause, and let a trigger that stopped loudly try again."""

    async def work(admin: Admin, _: Clock) -> Exit:
        await admin.post("triggers", trigger, "resume")
        print(f"{trigger} goes on")
        return Exit.FINE

    _run(url, token_file, work, allow_insecure)


def reset(
    trigger: Name,
    to: Annotated[str, typer.Option("--to", help=f"Replay what was uploaded since. {INSTANT_HELP}")] = "",
    until: Annotated[str, typer.Option("--until", help="And before; then go back to where it stood")] = "",
    topic_prefix: Annotated[str, typer.Option("--topic-prefix", help="Stands before every topic of the replay")] = "",
    reason: Reason = "",
    allow_skip: Annotated[
        bool, typer.Option("--allow-skip", help="Pass over results that nobody has got yet, for good")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until it is over, with progress; ends with 1 if it fails")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Call off the one under way, and go back")] = False,
    url: Url = URL,
    token_file: TokenFile = None,
    allow_insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Replay a trigger from an instant on, by upload time; or call off the replay under way."""
    if bool(to) is cancel:
        raise refuse("say either --to and an instant, or --cancel")
    wish = wished(instant(to, "--to"), instant(until, "--until"), topic_prefix, reason, allow_skip=allow_skip)

    async def work(admin: Admin, clock: Clock) -> Exit:
        made = await cancelled(admin, trigger) if cancel else await admin.post("triggers", trigger, "resets", body=wish)
        if not as_json:
            print(f"reset {reset_sentence(made)}")
        ended = await follow(admin, clock, trigger, made) if wait else made
        if as_json:
            print_json(ended)
        return Exit.FAILED if wait and ended.get("phase") != ("cancelled" if cancel else "done") else Exit.FINE

    _run(url, token_file, work, allow_insecure)


def trace(
    uid: Annotated[str, typer.Argument(help="The comment's uid, as in ce_subject")],
    since: Annotated[str, typer.Option("--since", help=f"Look no further back. {INSTANT_HELP}")] = "",
    url: Url = URL,
    token_file: TokenFile = None,
    allow_insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Show where a comment went: topic, partition, offset, route and generation of each of its records."""
    at = instant(since, "--since")
    _run(url, token_file, lambda admin, _: print_trace(admin, uid, at, as_json), allow_insecure)


async def print_trace(admin: Admin, uid: str, since: datetime | None, as_json: bool) -> Exit:
    """The records of a comment."""
    query = {"since": since.isoformat()} if since else {}
    rows = [row async for row in admin.rows("deliveries", "comments", uid, "deliveries", **query)]
    if as_json:
        print_json(rows)
    elif rows:
        console_for().print(deliveries_table(rows))
    else:
        print(f"no record of {uid} is on the topics" + (f" since {since.isoformat()}" if since else ""))
    return Exit.FINE


async def cancelled(admin: Admin, trigger: str) -> dict[str, Any]:
    """The reset under way, called off."""
    under_way = (await admin.get("triggers", trigger)).get("reset")
    if not under_way:
        raise refuse(f"no reset of {trigger} is under way")
    return await admin.post("triggers", trigger, "resets", under_way["id"], "cancel")


async def show(admin: Admin, clock: Clock, trigger: str, watch: bool, as_json: bool) -> Exit:
    """The table of all, or all of one."""
    rows = await seen(admin, trigger)
    if as_json:
        print_json(rows[0] if trigger else rows)
        return Exit.FINE
    began_s = clock.monotonic_s()
    await clock.sleep(RATE_OVER_S)
    with Live(console=console_for(), auto_refresh=False, transient=watch) as live:
        while True:
            before, rows = rows, await seen(admin, trigger)
            now_s = clock.monotonic_s()
            shown = view_of(rows, rates_of(before, rows, now_s - began_s), clock.now(), in_detail=bool(trigger))
            live.update(shown, refresh=True)
            if not watch:
                return Exit.FINE
            began_s = now_s
            await clock.sleep(WATCH_EVERY_S)


async def seen(admin: Admin, trigger: str) -> list[dict[str, Any]]:
    """One row, or all."""
    if trigger:
        return [await admin.get("triggers", trigger)]
    return [row async for row in admin.rows("triggers", "triggers")]


def rates_of(before: list[dict[str, Any]], after: list[dict[str, Any]], over_s: float) -> dict[str, float]:
    """Results a second by trigger. None for one that began anew in between, whose counts fell."""
    counted = {row["name"]: row.get("results", 0) for row in before}
    moved = {
        row["name"]: row.get("results", 0) - counted.get(row["name"], 0) for row in after if row["name"] in counted
    }
    return {name: count / over_s for name, count in moved.items() if count >= 0 and over_s > 0}


def view_of(
    rows: list[dict[str, Any]], rates: Mapping[str, float], now: datetime, *, in_detail: bool
) -> RenderableType:
    """For a person."""
    if not in_detail:
        return triggers_table(rows, rates, now)
    (row,) = rows
    return Group(trigger_lines(row, rates.get(row["name"]), now), "", routes_table(row))


def print_json(value: object) -> None:
    """One document on stdout, of ASCII: mail can hold what no terminal shows."""
    json.dump(value, sys.stdout, indent=2)
    print()


def _run(url: str, token_file: Any, work: Work, allow_insecure: bool) -> None:
    clock = SystemClock()
    raise with_admin(url, token_file, lambda admin: work(admin, clock), allow_insecure=allow_insecure)
