"""How commands end (design section 7), and the way they say that a file is wrong."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

import typer

from bridge.app.config import load_config
from bridge.app.config.mistakes import ConfigError, Mistake
from bridge.app.config.settings import Settings

Loaded = TypeVar("Loaded")


class Exit(IntEnum):
    """Exit codes."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    NEIGHBOUR_MISSING = 3


def load_or_exit(config: Path) -> Settings:
    """The settings; a bad file ends the command with every mistake on a line of its own, on stderr."""
    return or_exit(lambda: load_config(config, os.environ))


def or_exit(load: Callable[[], Loaded]) -> Loaded:
    """What `load` gives; its ConfigError ends the command."""
    try:
        return load()
    except ConfigError as error:
        print_mistakes(error.mistakes)
        raise typer.Exit(Exit.USAGE) from error


def print_mistakes(mistakes: Iterable[Mistake]) -> None:
    """One a line, on stderr."""
    for mistake in mistakes:
        print(mistake, file=sys.stderr)


def print_json(value: Mapping[str, object] | list[object]) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def refuse(sentence: str) -> typer.Exit:
    """To be raised: the command was used wrongly, and why."""
    print(f"error: {sentence}", file=sys.stderr)
    return typer.Exit(Exit.USAGE)
