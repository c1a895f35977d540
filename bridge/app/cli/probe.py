"""`bridge probe`: one comment through a running service, judged from outside."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Annotated

import typer

from bridge.adapters.clock import SystemClock
from bridge.app.cli.exits import Exit, load_or_exit, print_json
from bridge.app.probe import probe


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("probe", epilog="Example: bridge probe -c bridge.yaml --source org1/mail")
    def command(
        config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file of the running service")],
        source: Annotated[str, typer.Option("--source", "-s", help="owner/name of a source that a trigger reads")],
        text: Annotated[str, typer.Option(help="What the comment says")] = "One comment, sent to see it come through.",
        timeout: Annotated[float, typer.Option(min=1, help="Seconds until it must be on a topic")] = 60.0,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    ) -> None:
        """Upload a comment, wait until a running bridge has put it on a topic, and delete it.

        Ends with 0 when it has come through, 1 when not in time, 3 where the platform or Kafka does not answer.
        """
        settings = load_or_exit(config)
        # that its connections are cut at the end is no error; what counts reaches us as one
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        landed = asyncio.run(probe(settings, source, text, SystemClock(), timeout))
        if landed is None:
            typer.echo(
                f"not on a topic within {timeout:g} s: does bridge run, does a trigger read {source} without a filter"
                " on it, and is what no route takes dropped (`unmatched: drop`)?",
                err=True,
            )
            raise typer.Exit(Exit.FAILED)
        at = landed.arrival
        if as_json:
            place = {"topic": at.topic, "partition": at.partition, "offset": at.offset}
            print_json({"comment_id": landed.comment_id, "route": landed.route, **place, "seconds": landed.seconds})
        else:
            typer.echo(f"{at.topic} [{at.partition}] @{at.offset} by route {landed.route} after {landed.seconds:g} s")
