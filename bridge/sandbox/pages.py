"""One page of a trigger (fact sheet sections 2.3 and 2.4): which comments are looked at, and where the page ends."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from bridge.sandbox.filters import Facts, Predicate, compile_filter, label_path, needs_exceptions, view_of
from bridge.sandbox.positions import Position
from bridge.sandbox.store.comments import Row, walk
from bridge.sandbox.store.triggers import Trigger, exceptions_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`end` is the position after everything looked at, filtered comments included (trap 21)."""

    rows: list[Row]
    filtered: int
    end: Position
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads a trigger's data: `sources` are the dataset's, `model` the key of the pinned model or -1."""

    db: sqlite3.Connection
    trigger: Trigger
    sources: list[int]
    model: int

    def page(self, after: Position, size: int, max_filtered: int) -> Page:
        """Looks at comments until `size` of them count; up to `max_filtered` that the filter drops do not."""
        passes = self._predicate()
        allowance = max_filtered if passes else 0
        rows: list[Row] = []
        filtered, end = 0, after
        walked = self._walk(after, chunk=size + 1)
        for row in walked:
            if len(rows) + max(0, filtered - allowance) == size:
                return Page(rows=rows, filtered=filtered, end=end, is_last=False)
            end = row.position
            if passes is None or passes(self._facts(row)):
                rows.append(row)
            else:
                filtered += 1
        return Page(rows=rows, filtered=filtered, end=end, is_last=True)

    def _predicate(self) -> Predicate | None:
        comment_filter = self.trigger.doc.get("comment_filter")
        return compile_filter(comment_filter) if comment_filter else None

    def _walk(self, after: Position, chunk: int) -> Iterator[Row]:
        return walk(self.db, self.sources, after, self.trigger.dataset, self.model, chunk)

    def _facts(self, row: Row) -> Facts:
        labels = None if row.annotation is None else msgspec.json.decode(row.annotation)
        comment_filter = self.trigger.doc["comment_filter"]
        exceptions = exceptions_of(self.db, self.trigger.dataset, row.key) if needs_exceptions(comment_filter) else {}
        return Facts(
            comment=view_of(row.doc),
            labels=None if labels is None else frozenset(label_path(label["name"]) for label in labels),
            exceptions=exceptions,
        )
