"""The command line (design section 7). Each module here adds its commands with `register(app)`."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Final

import typer

from bridge import __version__
from bridge.app.cli.exits import Exit
from bridge.domain.errors import Blocked, BridgeError, Retry

MODULES: Final = {
    "bridge.app.cli.check": ("check",),
    "bridge.app.cli.offline": ("explain", "test", "schema"),
    "bridge.app.cli.run": ("run",),
    "bridge.app.cli.demo": ("demo",),
    "bridge.app.cli.sandbox": ("sandbox",),
    "bridge.app.cli.platform": ("platform",),
    "bridge.app.cli.remote": ("status", "pause", "resume", "reset", "trace"),
    "bridge.app.cli.probe": ("probe",),
    "bridge.app.cli.audit": ("audit",),
    "bridge.app.cli.redrive": ("redrive",),
    "bridge.app.cli.whatif": ("whatif",),
}
"""Which module has which commands. Only the one that is asked for is loaded: `check` need not wait for a web server."""


def main() -> None:
    """The entry point. Errors that have a sentence are printed as that, and end by the table of exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # comments may hold what the terminal cannot show; that must not end a command
            stream.reconfigure(errors="backslashreplace")
    try:
        app_for(sys.argv[1:])()
    except BridgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(Exit.NEIGHBOUR_MISSING if isinstance(error, (Retry, Blocked)) else Exit.FAILED)


def app_for(arguments: list[str]) -> typer.Typer:
    """The application with the command that is asked for, or with all of them."""
    app = typer.Typer(
        name="bridge",
        help="Carries results of re:infer / Communications Mining triggers onto Kafka: nothing lost, nothing twice.",
        no_args_is_help=True,
        add_completion=False,
        # a traceback with the values of variables would show secrets
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for module in _modules_for(arguments):
        import_module(module).register(app)
    return app


def _modules_for(arguments: list[str]) -> list[str]:
    asked = next((argument for argument in arguments if not argument.startswith("-")), "")
    if not asked and "--version" in arguments:
        asked = "check"  # an application needs some command
    return [module for module, commands in MODULES.items() if asked in commands] or list(MODULES)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"bridge {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass
