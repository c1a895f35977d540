"""`bridge check`: everything that is wrong with a configuration, before it runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from bridge.app.cli.exits import Exit, print_json
from bridge.app.config import load_config
from bridge.app.config.mistakes import ConfigError, Mistake, Severity
from bridge.app.config.settings import Settings

Asked = Callable[[Settings], Awaitable[tuple[list[str], list[str]]]]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(epilog="Example: bridge check -c bridge.yaml --online")
    def check(
        config: Annotated[Path, typer.Option("-c", "--config", help="The configuration file")],
        online: Annotated[bool, typer.Option("--online", help="Ask the platform, Kafka and Redis too")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
    ) -> None:
        """Find every mistake of a configuration, each with its line; --online asks the neighbours too.

        Ends with 0 where it can run (warnings do not count), 2 where it cannot, 3 where a neighbour does not answer.
        """
        found = _offline(config)
        if online and found.settings is not None:
            found = _online(found, found.settings)
        print_json(found.as_json()) if as_json else _print(found)
        raise typer.Exit(found.exit_code)


class _Found:
    """What was looked at and what came of it."""

    def __init__(self, config: Path, settings: Settings | None, mistakes: tuple[Mistake, ...]) -> None:
        self.config, self.settings, self.mistakes = config, settings, mistakes
        self.wrong: list[str] = []
        self.silent: list[str] = []

    @property
    def exit_code(self) -> Exit:
        if self.settings is None or self.wrong:
            return Exit.USAGE
        return Exit.NEIGHBOUR_MISSING if self.silent else Exit.FINE

    def count(self, severity: Severity) -> int:
        return sum(mistake.severity is severity for mistake in self.mistakes)

    def as_json(self) -> dict[str, object]:
        return {
            "file": str(self.config),
            "ok": self.exit_code is Exit.FINE,
            "errors": self.count(Severity.ERROR),
            "warnings": self.count(Severity.WARNING),
            "mistakes": [mistake.as_json() for mistake in self.mistakes],
            "online": {"wrong": self.wrong, "not_asked": self.silent},
        }


def _offline(config: Path) -> _Found:
    try:
        settings = load_config(config, os.environ)
    except ConfigError as error:
        return _Found(config, None, error.mistakes)
    return _Found(config, settings, settings.warnings)


def _online(found: _Found, settings: Settings) -> _Found:
    # the clients of three neighbours take longer to load than everything else here, and most checks never need them
    ask: Asked = import_module("bridge.app.promises").check_online
    found.wrong, found.silent = asyncio.run(_awaited(ask(settings)))
    return found


async def _awaited(answer: Awaitable[tuple[list[str], list[str]]]) -> tuple[list[str], list[str]]:
    return await answer


def _print(found: _Found) -> None:
    for mistake in found.mistakes:
        print(mistake)
    for sentence in found.wrong:
        print(f"{found.config}: error: {sentence}")
    for sentence in found.silent:
        print(f"{found.config}: not asked: {sentence}")
    print(_summary(found))


def _summary(found: _Found) -> str:
    warnings = _counted(found.count(Severity.WARNING), "warning")
    if found.exit_code is Exit.FINE and found.settings is not None:
        routes = sum(len(plan.rules.routes) for plan in found.settings.triggers)
        what = f"{_counted(len(found.settings.triggers), 'trigger')}, {_counted(routes, 'route')}"
        return f"{found.config}: fine ({what}, {warnings})"
    errors = _counted(found.count(Severity.ERROR) + len(found.wrong), "error")
    return f"{found.config}: {errors}, {warnings}" + (f", {len(found.silent)} not asked" if found.silent else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
