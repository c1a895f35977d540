"""How `bridge platform` reaches the platform, and how it prints what came back."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from bridge.adapters.clock import SystemClock
from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.settings import PlatformSettings
from bridge.adapters.platform.workspace import Workspace
from bridge.app.cli.exits import refuse
from bridge.domain.errors import Fatal

TOKEN_VARIABLE = "REINFER_TOKEN"  # noqa: S105  the variable's name, not a token
PIPE_WIDTH = 10_000
Url = Annotated[str, typer.Option("--url", envvar="REINFER_URL", help="Base URL, a path prefix included, without /api")]
Token = Annotated[
    Path | None, typer.Option("--token-file", help=f"Where the token is; else the variable {TOKEN_VARIABLE}")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table")]
Answer = TypeVar("Answer")


def with_workspace(url: str, token_file: Path | None, ask: Callable[[Workspace], Awaitable[Answer]]) -> Answer:
    """Asks everything but triggers. A BridgeError ends the command with its sentence; a bad URL is bad usage."""

    async def run() -> Answer:
        async with Workspace(_settings(url, token_file), SystemClock()) as platform:
            return await ask(platform)

    return _run(run)


def with_client(url: str, token_file: Path | None, ask: Callable[[PlatformClient], Awaitable[Answer]]) -> Answer:
    """The same for triggers."""

    async def run() -> Answer:
        async with PlatformClient(_settings(url, token_file), SystemClock()) as client:
            return await ask(client)

    return _run(run)


def _run(work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    try:
        return asyncio.run(work())
    except Fatal as error:
        raise refuse(str(error)) from error


def _settings(url: str, token_file: Path | None) -> PlatformSettings:
    token = None if token_file is not None else os.environ.get(TOKEN_VARIABLE)
    if token_file is None and not token:
        raise refuse(f"a token is needed: --token-file FILE, or the variable {TOKEN_VARIABLE}")
    return PlatformSettings(base_url=url, token=token, token_file=token_file)


def print_rows(found: Iterable[BaseModel | Mapping[str, Any]], columns: Sequence[str], as_json: bool = False) -> None:
    """A table of some columns, or a JSON list of all there is."""
    rows = [each.model_dump(mode="json") if isinstance(each, BaseModel) else dict(each) for each in found]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    console = Console(soft_wrap=True, markup=False, highlight=False)
    if not console.is_terminal:
        # what a script reads must not be cut to the width of a screen that is not there
        console.width = PIPE_WIDTH
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console.print(table)


def print_done(sentence: str) -> None:
    """What was done, in a line."""
    print(sentence)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case {"version": version}:
            return f"version {version}"
        case list() | tuple():
            return ", ".join(_cell(each) for each in value)
        case {"name": list(levels), "probability": float(probability)}:
            return f"{' > '.join(levels)} {probability:.2f}"
        case {"kind": kind, "formatted_value": said}:
            return f"{kind}: {said}"
        case _:
            return str(value)
