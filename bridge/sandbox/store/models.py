"""Annotations, trained models, and what pinned models said about each comment."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecord:
    """One version of a dataset's model; immutable once `pinned_ms` is set."""

    key: int
    dataset: int
    version: int
    trained_ms: int
    pinned_ms: int | None
    summary: dict[str, Any]


_SELECT = "SELECT key, dataset, version, trained_ms, pinned_ms, summary FROM models"


def _record(row: tuple[Any, ...]) -> ModelRecord:
    key, dataset, version, trained_ms, pinned_ms, summary = row
    return ModelRecord(
        key=key,
        dataset=dataset,
        version=version,
        trained_ms=trained_ms,
        pinned_ms=pinned_ms,
        summary=msgspec.json.decode(summary),
    )


def annotate(db: sqlite3.Connection, dataset: int, comment: int, labels: Sequence[dict[str, Any]]) -> None:
    """Replaces the comment's annotation; an empty list says that it was reviewed and no label fits."""
    db.execute("INSERT OR REPLACE INTO annotations VALUES (?, ?, ?)", (dataset, comment, msgspec.json.encode(labels)))


def copy_annotations(db: sqlite3.Connection, to_dataset: int, from_dataset: int, sources: Sequence[int]) -> None:
    """Only those of comments in the given sources."""
    db.execute(
        "INSERT OR REPLACE INTO annotations SELECT ?, a.comment, a.doc FROM annotations a"
        " JOIN comments c ON c.key = a.comment"
        " WHERE a.dataset = ? AND c.source IN (SELECT value FROM json_each(?))",
        (to_dataset, from_dataset, msgspec.json.encode(sources)),
    )


def annotated_comments(
    db: sqlite3.Connection, dataset: int, sources: Sequence[int]
) -> Iterator[tuple[bytes, list[dict[str, Any]]]]:
    """Comment document and labels of every annotated comment in the dataset's present sources, in upload order."""
    rows = db.execute(
        "SELECT c.doc, a.doc FROM annotations a JOIN comments c ON c.key = a.comment"
        " WHERE a.dataset = ? AND c.source IN (SELECT value FROM json_each(?)) ORDER BY c.at_ms, c.tie",
        (dataset, msgspec.json.encode(sources)),
    )
    for doc, labels in rows:
        yield doc, msgspec.json.decode(labels)


def label_names(db: sqlite3.Connection, dataset: int) -> list[list[str]]:
    """Every label annotated in the dataset, with its parents, sorted."""
    paths: set[tuple[str, ...]] = set()
    for (doc,) in db.execute("SELECT doc FROM annotations WHERE dataset = ?", (dataset,)):
        for label in msgspec.json.decode(doc):
            path = tuple(label["name"])
            paths.update(path[:depth] for depth in range(1, len(path) + 1))
    return [list(path) for path in sorted(paths)]


def insert_model(
    db: sqlite3.Connection, dataset: int, now_ms: int, summary: dict[str, Any], weights: bytes
) -> ModelRecord:
    """The next version; versions that were never pinned give way to it, as on the platform."""
    (latest,) = db.execute("SELECT max(version) FROM models WHERE dataset = ?", (dataset,)).fetchone()
    version = 0 if latest is None else latest + 1
    db.execute("DELETE FROM models WHERE dataset = ? AND pinned_ms IS NULL", (dataset,))
    db.execute(
        "INSERT INTO models (dataset, version, trained_ms, summary, weights) VALUES (?, ?, ?, ?, ?)",
        (dataset, version, now_ms, msgspec.json.encode(summary), weights),
    )
    record = find_model(db, dataset, version)
    assert record is not None
    return record


def list_models(db: sqlite3.Connection, dataset: int) -> list[ModelRecord]:
    return [_record(row) for row in db.execute(f"{_SELECT} WHERE dataset = ? ORDER BY version", (dataset,))]


def find_model(db: sqlite3.Connection, dataset: int, version: int) -> ModelRecord | None:
    row = db.execute(f"{_SELECT} WHERE dataset = ? AND version = ?", (dataset, version)).fetchone()
    return _record(row) if row else None


def pin_model(db: sqlite3.Connection, record: ModelRecord, now_ms: int) -> None:
    db.execute("UPDATE models SET pinned_ms = coalesce(pinned_ms, ?) WHERE key = ?", (now_ms, record.key))


def model_weights(db: sqlite3.Connection, key: int) -> bytes | None:
    """None where the model has gone with its dataset."""
    row = db.execute("SELECT weights FROM models WHERE key = ?", (key,)).fetchone()
    return None if row is None else bytes(row[0])


def keep_prediction(
    db: sqlite3.Connection, model: int, comment: int, revision: int, labels: bytes, entities: bytes
) -> None:
    """Kept only if the comment still is what the prediction was made from."""
    here = "SELECT ?, ? WHERE EXISTS (SELECT 1 FROM comments WHERE key = ? AND revision = ?)"
    db.execute(
        "INSERT OR REPLACE INTO predictions SELECT ?, ?, ?"
        " WHERE EXISTS (SELECT 1 FROM comments WHERE key = ? AND revision = ?)",
        (model, comment, labels, comment, revision),
    )
    db.execute(f"INSERT OR REPLACE INTO extractions {here}", (comment, entities, comment, revision))


def unpredicted(db: sqlite3.Connection, model: int, sources: Sequence[int], after_key: int, limit: int) -> list[int]:
    """Comment keys after a key that the model has not seen yet."""
    rows = db.execute(
        "SELECT c.key FROM comments c LEFT JOIN predictions p ON p.model = ? AND p.comment = c.key"
        " WHERE c.key > ? AND p.comment IS NULL AND +c.source IN (SELECT value FROM json_each(?))"
        " ORDER BY c.key LIMIT ?",
        (model, after_key, msgspec.json.encode(sources), limit),
    )
    return [key for (key,) in rows]
