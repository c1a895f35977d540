"""From a file to plain values: read within bounds, composed, with `${VAR}` put in after the structure is settled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Final

from bridge.app.config.findings import Findings, mistake_of_file
from bridge.app.config.mistakes import Path, Severity
from bridge.app.config.yaml_reader import Unreadable, compose
from bridge.app.config.yaml_tree import Items, Node, Place, Scalar, Table, plain_value

FILE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A hundred thousand lines; a configuration beyond it is a mistake in whatever writes it."""

VALUES_MAX: Final = 500_000
"""Values after aliases are followed: a short file can spell billions of them."""

_VARIABLE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<broken>\$\{)")


class FromEnvironment(str):
    """Text with a variable in it: a number where a number is wanted, so that `${SIZE}` works anywhere."""

    __slots__ = ()


class Section(dict[str, object]):
    """A mapping of the file that knows its path."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path


def read(file: FilePath) -> str:
    """The text of a file. Raises ConfigError where it cannot be read, is too large, or is not UTF-8."""
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise mistake_of_file(str(file), "unreadable_file", f"cannot be read: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        limit = FILE_BYTES_MAX // (1024 * 1024)
        raise mistake_of_file(str(file), "too_large", f"larger than {limit} MiB: split the triggers over deployments")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1)
        raise mistake_of_file(str(file), "not_utf8", "not UTF-8 from here on: save the file as UTF-8", place) from error


def opened(file: FilePath) -> tuple[Node, Findings]:
    """The tree of a file, and where its mistakes go. Raises ConfigError where there is no tree."""
    try:
        root = compose(read(file))
    except Unreadable as error:
        raise mistake_of_file(str(file), error.code, error.sentence, error.place) from error
    return root, Findings(str(file), root)


class Reader:
    """Makes plain values of a tree.

    `tolerated` are the top-level sections whose unset variables are only warned of: what reads rules alone needs no
    secrets.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        findings: Findings,
        tolerated: frozenset[str] = frozenset(),
        values_max: int = VALUES_MAX,
    ) -> None:
        self._environment = environment
        self._findings = findings
        self._tolerated = tolerated
        self._values = 0
        self._values_max = values_max

    def value(self, node: Node, path: Path) -> object:
        """What stands under `path`. Doubled keys and unset variables are reported."""
        self._values += 1
        if self._values > self._values_max:
            sentence = f"aliases make more than {self._values_max} values of this file: use fewer of them"
            raise mistake_of_file(self._findings.file, "too_large", sentence, node.place)
        if isinstance(node, Scalar):
            return self._scalar(node, path)
        if isinstance(node, Items):
            return [self.value(item, (*path, place)) for place, item in enumerate(node.items)]
        return self._section(node, path)

    def _section(self, node: Table, path: Path) -> Section:
        for doubled in node.doubled:
            first = node.keys[doubled.text].place.line
            sentence = f"`{doubled.text}` stands here a second time, first on line {first}: keep one of them"
            self._findings.error_at(doubled.place, (*path, doubled.text), "doubled_key", sentence)
        section = Section(path)
        for key, value in node.values.items():
            section[key] = self.value(value, (*path, key))
        return section

    def _scalar(self, node: Scalar, path: Path) -> str | float | int | bool | None:
        if "${" not in node.text:
            return plain_value(node.text) if node.plain else node.text
        return FromEnvironment(_VARIABLE.sub(lambda found: self._replaced(found, path), node.text))

    def _replaced(self, found: re.Match[str], path: Path) -> str:
        if found["broken"]:
            sentence = (
                "`${` begins a variable such as ${NAME} or ${NAME:-default}: end it, or write $${ for the text ${"
            )
            self._findings.unknown(path, "bad_variable", sentence)
        if not found["name"]:
            return "${"
        value = self._environment.get(found["name"])
        if not value and found["default"] is not None:
            return found["default"]
        if value is None:
            return self._unset(found["name"], path)
        if any("\ud800" <= each <= "\udfff" for each in value):
            self._findings.unknown(path, "bad_variable", f"the value of {found['name']} is not UTF-8")
        return value

    def _unset(self, name: str, path: Path) -> str:
        severity = Severity.WARNING if path and path[0] in self._tolerated else Severity.ERROR
        sentence = f"the environment variable {name} is not set: set it, or write ${{{name}:-a default}}"
        self._findings.unknown(path, "unset_variable", sentence, severity)
        return f"${{{name}}}"
