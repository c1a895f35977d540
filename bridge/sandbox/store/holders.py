"""Sources and datasets: two tables of one form."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from bridge.sandbox.store.comments import forget_predictions
from bridge.sandbox.store.database import new_id

Kind = Literal["sources", "datasets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One source or dataset; `doc` holds the fields its owner may set."""

    key: int
    id: str
    owner: str
    name: str
    doc: dict[str, Any]
    created_ms: int
    updated_ms: int


_SELECT: Mapping[Kind, str] = {
    "sources": "SELECT key, id, owner, name, doc, created_ms, updated_ms FROM sources",
    "datasets": "SELECT key, id, owner, name, doc, created_ms, updated_ms FROM datasets",
}
_INSERT: Mapping[Kind, str] = {
    "sources": "INSERT INTO sources (id, owner, name, doc, created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?)",
    "datasets": "INSERT INTO datasets (id, owner, name, doc, created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?)",
}
_UPDATE: Mapping[Kind, str] = {
    "sources": "UPDATE sources SET doc = ?, updated_ms = ? WHERE key = ?",
    "datasets": "UPDATE datasets SET doc = ?, updated_ms = ? WHERE key = ?",
}


def _holder(row: tuple[Any, ...]) -> Holder:
    key, identity, owner, name, doc, created_ms, updated_ms = row
    return Holder(
        key=key,
        id=identity,
        owner=owner,
        name=name,
        doc=msgspec.json.decode(doc),
        created_ms=created_ms,
        updated_ms=updated_ms,
    )


def list_holders(db: sqlite3.Connection, kind: Kind, owner: str | None = None) -> list[Holder]:
    rows = db.execute(f"{_SELECT[kind]} WHERE ?1 IS NULL OR owner = ?1 ORDER BY owner, name", (owner,))
    return [_holder(row) for row in rows]


def find_by_name(db: sqlite3.Connection, kind: Kind, owner: str, name: str) -> Holder | None:
    row = db.execute(f"{_SELECT[kind]} WHERE owner = ? AND name = ?", (owner, name)).fetchone()
    return _holder(row) if row else None


def find_by_id(db: sqlite3.Connection, kind: Kind, identity: str) -> Holder | None:
    row = db.execute(f"{_SELECT[kind]} WHERE id = ?", (identity,)).fetchone()
    return _holder(row) if row else None


def insert_holder(
    db: sqlite3.Connection, kind: Kind, owner: str, name: str, doc: Mapping[str, Any], now_ms: int
) -> Holder:
    identity = new_id()
    cursor = db.execute(_INSERT[kind], (identity, owner, name, msgspec.json.encode(doc), now_ms, now_ms))
    key = cursor.lastrowid
    assert key is not None
    return Holder(key=key, id=identity, owner=owner, name=name, doc=dict(doc), created_ms=now_ms, updated_ms=now_ms)


def update_holder(
    db: sqlite3.Connection, kind: Kind, holder: Holder, changes: Mapping[str, Any], now_ms: int
) -> Holder:
    """`updated_ms` always moves on, also within one millisecond, since clients compare it."""
    doc = {**holder.doc, **changes}
    updated_ms = max(now_ms, holder.updated_ms + 1)
    db.execute(_UPDATE[kind], (msgspec.json.encode(doc), updated_ms, holder.key))
    return Holder(
        key=holder.key,
        id=holder.id,
        owner=holder.owner,
        name=holder.name,
        doc=doc,
        created_ms=holder.created_ms,
        updated_ms=updated_ms,
    )


def delete_source(db: sqlite3.Connection, source: Holder) -> None:
    """With all comments of it and whatever was kept for them."""
    keys = [key for (key,) in db.execute("SELECT key FROM comments WHERE source = ?", (source.key,))]
    forget_predictions(db, keys)
    db.execute("DELETE FROM sources WHERE key = ?", (source.key,))


def delete_dataset(db: sqlite3.Connection, dataset: Holder) -> None:
    """With its annotations, models and triggers; the comments belong to sources and stay."""
    db.execute("DELETE FROM predictions WHERE model IN (SELECT key FROM models WHERE dataset = ?)", (dataset.key,))
    db.execute("DELETE FROM datasets WHERE key = ?", (dataset.key,))


def source_keys(db: sqlite3.Connection, source_ids: Sequence[str]) -> dict[str, int]:
    """Keys of those ids that exist; a dataset may outlive one of its sources."""
    rows = db.execute(
        "SELECT id, key FROM sources WHERE id IN (SELECT value FROM json_each(?))", (msgspec.json.encode(source_ids),)
    )
    return dict(rows.fetchall())
