"""The command line (design section 7). Each module here adds its commands with `register(app)`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from io import TextIOWrapper
from typing import Annotated, Final

import typer
from typing_extensions import override

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

UNUSED: Final = {"bridge.app.cli.run": frozenset({"pygments", "rich"})}
"""What libraries load where it is there, to paint on terminals, and which a command can do without: 6 MB."""


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
        with _hidden(UNUSED.get(module, frozenset())):
            loaded = import_module(module)
        loaded.register(app)
    return app


class _Hiding(MetaPathFinder):
    """Says of some packages that they are not installed."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    @override
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"{fullname} is not loaded for this command", name=fullname)


@contextmanager
def _hidden(names: Collection[str]) -> Iterator[None]:
    """What is loaded within does not find these; later it can be loaded all the same."""
    hiding = _Hiding(names)
    sys.meta_path.insert(0, hiding)
    try:
        yield
    finally:
        sys.meta_path.remove(hiding)


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
