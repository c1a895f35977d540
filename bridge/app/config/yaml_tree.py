"""A YAML document as a tree in which every node knows its place in the file.

Plain scalars mean what YAML 1.2 says: `no` and `12:30` are text. An alias is the same node again, so it costs nothing
until it is walked; walks are bounded where they are done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bridge.app.config.mistakes import Path

_DIGITS_MAX = 300


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, from 1."""

    line: int = 1
    column: int = 1


@dataclass(slots=True, eq=False)
class Scalar:
    """`text` is what is written; `plain` is true where no quotes stand around it."""

    place: Place
    text: str
    plain: bool


@dataclass(slots=True, eq=False)
class Items:
    """A list."""

    place: Place
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Table:
    """Keys with their places, in the order of the file; of a doubled key the first stays."""

    place: Place
    keys: dict[str, Scalar] = field(default_factory=dict)
    values: dict[str, Node] = field(default_factory=dict)
    doubled: list[Scalar] = field(default_factory=list)


Node = Scalar | Items | Table


_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def plain_value(text: str) -> str | float | int | bool | None:
    """What a scalar without quotes means (YAML 1.2 core schema, decimal numbers only)."""
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if len(text) > _DIGITS_MAX:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float("nan") if special[3] else float(f"{special[1]}inf")
    return text


def at(root: Node, path: Path) -> Node | None:
    """The node under a path, or None."""
    node: Node | None = root
    for step in path:
        if isinstance(node, Table):
            node = node.values.get(str(step))
        elif isinstance(node, Items) and isinstance(step, int):
            node = node.items[step] if -1 < step < len(node.items) else None
        else:
            return None
    return node


def place_of(root: Node, path: Path) -> Place:
    """Where a path stands, or where the nearest thing around it begins."""
    for end in range(len(path), -1, -1):
        node = at(root, path[:end])
        if node is not None:
            return node.place
    return root.place


def key_place(root: Node, path: Path) -> Place:
    """Where the key of the last step stands."""
    around = at(root, path[:-1])
    if isinstance(around, Table) and path[-1] in around.keys:
        return around.keys[str(path[-1])].place
    return place_of(root, path)
