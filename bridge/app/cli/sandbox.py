"""`bridge sandbox`: the local platform server, as a process that takes this one's place."""

from __future__ import annotations

import importlib.util
import os
import sys

import typer

from bridge.app.cli.exits import Exit

NEEDED = ("bridge.sandbox", "starlette", "sklearn")


def register(app: typer.Typer) -> None:
    """Add the command. Its options, `--help` too, are the server's own."""

    @app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
        epilog="Example: bridge sandbox --port 8900 --db sandbox.sqlite",
    )
    def sandbox(context: typer.Context) -> None:
        """Run a local server of the platform's API over SQLite; the token is SANDBOX_TOKEN, `sandbox` by default."""
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            typer.echo(f"bridge sandbox needs {', '.join(missing)}: pip install 'bridge[sandbox]'", err=True)
            raise typer.Exit(Exit.NEIGHBOUR_MISSING)
        # in place of this process: signals and exit code are then the server's own
        os.execv(sys.executable, [sys.executable, "-m", "bridge.sandbox", *context.args])  # noqa: S606
