"""Reads YAML text into a tree. Only parser events are used, nothing is ever constructed (D20)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import yaml

from bridge.app.config.yaml_tree import Items, Node, Place, Scalar, Table

DEPTH_MAX: Final = 64
MERGED_KEYS_MAX: Final = 100_000
"""Merge keys can copy a large mapping many times over; no honest file does it this often."""

_TEXT_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})
_VALUE_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null"))
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Mark(Protocol):
    """What the parser in C and the one in Python have in common."""

    line: int
    column: int


class Unreadable(Exception):
    """The text is not the YAML that is taken here; nothing beyond that place is known."""

    def __init__(self, place: Place, sentence: str, code: str = "bad_yaml") -> None:
        super().__init__(sentence)
        self.place, self.sentence, self.code = place, sentence, code


def compose(text: str) -> Node:
    """The tree of the one document in `text`. Raises Unreadable."""
    try:
        events = yaml.parse(text, Loader=_LOADER)
        return _Composer(events).document()
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark)
        hint = ": inside {} and [] put ${VARIABLE} in quotes" if "${" in _line(text, place) else ""
        raise Unreadable(place, _problem(error) + hint) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        place = Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        raise Unreadable(place, "a character that YAML does not allow: remove it") from error


def _problem(error: yaml.MarkedYAMLError) -> str:
    problem = f"not valid YAML: {error.problem or error.context}"
    if error.context and error.problem and error.context_mark:
        problem += f" ({error.context}, which begins on line {error.context_mark.line + 1})"
    return problem


def _line(text: str, place: Place) -> str:
    lines = text.split("\n", place.line)
    return lines[place.line - 1] if len(lines) >= place.line else ""


def _place(mark: _Mark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place()


class _Composer:
    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, Node] = {}
        self._open: set[str] = set()
        self._merged_keys = 0

    def document(self) -> Node:
        next(self._events)  # the start of the stream
        begun = next(self._events)
        if isinstance(begun, yaml.StreamEndEvent):
            raise Unreadable(Place(), "the file is empty", "empty_file")
        root = self._node(next(self._events), 0)
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise Unreadable(_place(after.start_mark), "a second document begins here: a file holds one")
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        place = _place(event.start_mark)
        if depth > DEPTH_MAX:
            raise Unreadable(place, f"nested more than {DEPTH_MAX} levels deep", "too_deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        assert isinstance(event, yaml.NodeEvent)
        if event.anchor:
            self._open.add(event.anchor)
        node = self._fresh(event, place, depth)
        if event.anchor:
            self._open.discard(event.anchor)
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent, place: Place) -> Node:
        if event.anchor in self._open:
            raise Unreadable(place, f"*{event.anchor} stands inside itself")
        if event.anchor not in self._anchors:
            raise Unreadable(place, f"*{event.anchor} is nowhere defined above: write &{event.anchor} there")
        return self._anchors[event.anchor]

    def _fresh(self, event: yaml.Event, place: Place, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            if event.tag in _VALUE_TAGS:
                return Scalar(place, event.value, plain=True)
            if event.tag not in _TEXT_TAGS:
                raise _unknown_tag(event.tag, place)
            return Scalar(place, event.value, plain=event.implicit[0] and event.tag is None)
        assert isinstance(event, yaml.CollectionStartEvent)
        if event.tag not in (None, "!"):
            raise _unknown_tag(event.tag, place)
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(place, list(self._until(yaml.SequenceEndEvent, depth)))
        return self._mapping(place, depth)

    def _until(self, end: type[yaml.Event], depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), end):
            yield self._node(event, depth + 1)

    def _mapping(self, place: Place, depth: int) -> Table:
        table = Table(place)
        merged: list[Node] = []
        nodes = self._until(yaml.MappingEndEvent, depth)
        for key in nodes:
            if not isinstance(key, Scalar):
                raise Unreadable(key.place, "a key must be text")
            value = next(nodes)
            if key.plain and key.text == "<<":
                merged.append(value)
            elif key.text in table.keys:
                table.doubled.append(key)
            else:
                table.keys[key.text], table.values[key.text] = key, value
        for node in merged:
            self._merge(table, node)
        return table

    def _merge(self, table: Table, node: Node) -> None:
        """What the table says itself wins; of several merged ones the first."""
        for source in node.items if isinstance(node, Items) else [node]:
            if not isinstance(source, Table):
                raise Unreadable(source.place, "<< takes the keys of a mapping, or of a list of mappings")
            self._merged_keys += len(source.keys)
            if self._merged_keys > MERGED_KEYS_MAX:
                raise Unreadable(source.place, f"<< copies more than {MERGED_KEYS_MAX} keys in this file", "too_large")
            for key in [key for key in source.keys if key not in table.keys]:
                table.keys[key], table.values[key] = source.keys[key], source.values[key]


def _unknown_tag(tag: str | None, place: Place) -> Unreadable:
    return Unreadable(place, f"the tag {tag} is not taken here: write the value as it is")
