"""`bridge demo`: everything on this machine, and a verdict."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bridge.adapters.clock import SystemClock
from bridge.app.cli.exits import Exit
from bridge.app.demo.failures import DemoFailed
from bridge.app.demo.options import Options, Patience
from bridge.app.demo.road import run_demo
from bridge.app.demo.sample.mail import COMMENTS, SEED
from bridge.app.demo.screen import Screen
from bridge.app.demo.summary import Summary


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: bridge demo --once --json")
    def demo(
        once: Annotated[bool, typer.Option("--once", help="End when all is delivered")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="The last line of output is one JSON object")] = False,
        data: Annotated[
            Path | None,
            typer.Option(
                help='JSON lines {"comment": {...}, "labels": [["Parent", "Child"], ...]} instead of the sample',
                exists=True,
                dir_okay=False,
            ),
        ] = None,
        kafka: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="A Kafka that is there already")] = None,
        redis: Annotated[str | None, typer.Option(metavar="URL", help="A Redis that is there already")] = None,
        timeout: Annotated[float, typer.Option(min=1, help="Seconds until all must be delivered")] = 120.0,
        keep: Annotated[bool, typer.Option("--keep", help="Keep logs, configuration and the platform's file")] = False,
        comments: Annotated[int, typer.Option(min=20, max=20_000, help="Size of the sample")] = COMMENTS,
        seed: Annotated[int, typer.Option(help="Of the sample")] = SEED,
    ) -> None:
        """Show the whole service with embedded parts: mail, a trained model, a broker, a ledger, and what lands where.

        Without --once it stays up until Ctrl-C, to be played with. It ends with 1 where something was lost or late.
        """
        options = Options(
            once=once,
            data=data,
            kafka=kafka,
            redis_url=redis,
            timeout_s=timeout,
            keep=keep,
            comments=comments,
            seed=seed,
        )
        raise typer.Exit(_run(options, as_json=as_json))


def _run(options: Options, *, as_json: bool) -> int:
    console = Console(stderr=as_json)
    errors = Console(stderr=True)
    # it repeats each connection error for each attempt, over the table; what counts of it reaches us as an error
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        summary = asyncio.run(_with_signals(options, console))
    except DemoFailed as error:
        errors.print(f"bridge demo: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except asyncio.CancelledError:
        errors.print("bridge demo: interrupted; everything it had started has ended", style="red")
        return Exit.FAILED
    if as_json:
        typer.echo(json.dumps(summary.as_json()))
    if summary.trouble:
        errors.print(f"bridge demo: {summary.trouble}", style="red", markup=False, highlight=False, soft_wrap=True)
        return Exit.FAILED
    return Exit.FINE


async def _with_signals(options: Options, console: Console) -> Summary:
    clock, patience = SystemClock(), Patience()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, patience.lose)
    return await run_demo(options, Screen(console, clock), clock, patience)
