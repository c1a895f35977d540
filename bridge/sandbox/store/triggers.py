"""Triggers, their positions and their exceptions."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from bridge.sandbox.positions import Position
from bridge.sandbox.store.database import new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """`doc` holds the fields of the create request other than the name."""

    key: int
    id: str
    dataset: int
    name: str
    doc: dict[str, Any]
    created_ms: int
    updated_ms: int
    position: Position

    @property
    def model_version(self) -> int | None:
        model = self.doc.get("model")
        return None if model is None else int(model["version"])


_SELECT = "SELECT key, id, dataset, name, doc, created_ms, updated_ms, at_ms, tie FROM triggers"


def _trigger(row: tuple[Any, ...]) -> Trigger:
    key, identity, dataset, name, doc, created_ms, updated_ms, at_ms, tie = row
    return Trigger(
        key=key,
        id=identity,
        dataset=dataset,
        name=name,
        doc=msgspec.json.decode(doc),
        created_ms=created_ms,
        updated_ms=updated_ms,
        position=Position(at_ms, tie),
    )


def list_triggers(db: sqlite3.Connection, dataset: int) -> list[Trigger]:
    return [_trigger(row) for row in db.execute(f"{_SELECT} WHERE dataset = ? ORDER BY name", (dataset,))]


def all_triggers(db: sqlite3.Connection) -> list[Trigger]:
    return [_trigger(row) for row in db.execute(f"{_SELECT} ORDER BY key")]


def find_trigger(db: sqlite3.Connection, dataset: int, name: str) -> Trigger | None:
    row = db.execute(f"{_SELECT} WHERE dataset = ? AND name = ?", (dataset, name)).fetchone()
    return _trigger(row) if row else None


def insert_trigger(
    db: sqlite3.Connection, dataset: int, name: str, doc: dict[str, Any], now_ms: int, position: Position
) -> Trigger:
    identity = new_id()
    cursor = db.execute(
        "INSERT INTO triggers (id, dataset, name, doc, created_ms, updated_ms, at_ms, tie)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (identity, dataset, name, msgspec.json.encode(doc), now_ms, now_ms, *position),
    )
    assert cursor.lastrowid is not None
    return Trigger(
        key=cursor.lastrowid,
        id=identity,
        dataset=dataset,
        name=name,
        doc=doc,
        created_ms=now_ms,
        updated_ms=now_ms,
        position=position,
    )


def update_trigger(db: sqlite3.Connection, trigger: Trigger, changes: dict[str, Any], now_ms: int) -> Trigger:
    """The position stays where it is."""
    doc = {**trigger.doc, **changes}
    updated_ms = max(now_ms, trigger.updated_ms + 1)
    db.execute(
        "UPDATE triggers SET doc = ?, updated_ms = ? WHERE key = ?", (msgspec.json.encode(doc), updated_ms, trigger.key)
    )
    return replace(trigger, doc=doc, updated_ms=updated_ms)


def move_trigger(db: sqlite3.Connection, trigger: Trigger, position: Position) -> None:
    db.execute("UPDATE triggers SET at_ms = ?, tie = ? WHERE key = ?", (*position, trigger.key))


def delete_trigger(db: sqlite3.Connection, trigger: Trigger) -> None:
    db.execute("DELETE FROM triggers WHERE key = ?", (trigger.key,))


def tag_exception(db: sqlite3.Connection, trigger: Trigger, comment: int, kind: str) -> None:
    db.execute("INSERT OR REPLACE INTO exceptions VALUES (?, ?, ?)", (trigger.key, comment, kind))


def untag_exceptions(db: sqlite3.Connection, trigger: Trigger, comments: Sequence[int]) -> None:
    db.execute(
        "DELETE FROM exceptions WHERE trigger = ? AND comment IN (SELECT value FROM json_each(?))",
        (trigger.key, msgspec.json.encode(comments)),
    )


def exceptions_of(db: sqlite3.Connection, dataset: int, comment: int) -> dict[str, str]:
    """Exception type by the name of the trigger of this dataset that has it."""
    rows = db.execute(
        "SELECT t.name, x.type FROM exceptions x JOIN triggers t ON t.key = x.trigger"
        " WHERE x.comment = ? AND t.dataset = ?",
        (comment, dataset),
    )
    return dict(rows.fetchall())
