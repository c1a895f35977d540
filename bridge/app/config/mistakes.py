"""What is wrong with a file, and where: all of it at once, in sentences for operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from typing_extensions import override

from bridge.domain.errors import Fatal

Path = tuple[str | int, ...]
"""Where in a document: keys and places in lists, outermost first."""


class Severity(Enum):
    """An error refuses the file; a warning is said and the file is taken."""

    ERROR = "error"
    WARNING = "warning"


def spelled(path: Path) -> str:
    """`triggers[0].routes[2].when.min`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """`line` and `column` count from 1. `code` is a stable word; `sentence` says what, and what to do."""

    file: str
    line: int
    column: int
    path: str
    code: str
    sentence: str
    severity: Severity = Severity.ERROR

    @override
    def __str__(self) -> str:
        """The form that editors and build logs make a link of."""
        where = f"{self.file}:{self.line}:{self.column}: {self.severity.value}: {self.sentence}"
        return f"{where} [{self.path}]" if self.path else where

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "code": self.code,
            "severity": self.severity.value,
            "sentence": self.sentence,
        }


class ConfigError(Fatal):
    """A file cannot be taken. `mistakes` are all that were found, warnings included, in the order of the file."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)), code="bad_configuration")
