"""Comments: upsert, read, delete, and the walk in the order of a trigger."""

import heapq
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from bridge.sandbox.positions import Position, tiebreak


class Draft(NamedTuple):
    """A checked upload, not yet stored: `fields` are those of the comment that the uploader sets."""

    id: str
    fields: dict[str, Any]
    attachments: bytes | None
    text_digest: bytes
    content_digest: bytes


class Known(NamedTuple):
    """What an upsert must know of the comment that is there already."""

    key: int
    created_ms: int
    text_digest: bytes
    content_digest: bytes


class Row(NamedTuple):
    """A comment in the walk, with what is kept for it under the dataset and model asked for."""

    key: int
    at_ms: int
    tie: bytes
    revision: int
    source: int
    doc: bytes
    attachments: bytes | None
    annotated: int
    annotation: bytes | None
    labels: bytes | None
    entities: bytes | None

    @property
    def position(self) -> Position:
        return Position(self.at_ms, self.tie)


_ROW = """
SELECT c.key, c.at_ms, c.tie, c.revision, c.source, c.doc, c.attachments,
    EXISTS (SELECT 1 FROM annotations any_a WHERE any_a.comment = c.key),
    a.doc, p.labels, e.entities
FROM json_each(?1) j CROSS JOIN comments c ON c.key = j.value
LEFT JOIN annotations a ON a.dataset = ?2 AND a.comment = c.key
LEFT JOIN predictions p ON p.model = ?3 AND p.comment = c.key
LEFT JOIN extractions e ON e.comment = c.key
"""
"""CROSS JOIN keeps the order of the keys; sorting in SQL would copy every document, at twice the cost."""


def next_upload_ms(db: sqlite3.Connection, now_ms: int) -> int:
    """Later than every upload before it, deleted ones too: else a comment could appear behind a position."""
    (upload_ms,) = db.execute(
        "UPDATE uploads SET latest_ms = max(latest_ms + 1, ?) RETURNING latest_ms", (now_ms,)
    ).fetchone()
    return int(upload_ms)


def find_known(db: sqlite3.Connection, source: int, comment_id: str) -> Known | None:
    row = db.execute(
        "SELECT key, created_ms, text_digest, content_digest FROM comments WHERE source = ? AND id = ?",
        (source, comment_id),
    ).fetchone()
    return Known(*row) if row else None


def insert_comment(db: sqlite3.Connection, source: int, uid: str, draft: Draft, doc: bytes, at_ms: int) -> None:
    db.execute(
        "INSERT INTO comments (source, id, at_ms, tie, created_ms, revision,"
        " text_digest, content_digest, attachments, doc) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
        (
            source,
            draft.id,
            at_ms,
            tiebreak(uid),
            at_ms,
            draft.text_digest,
            draft.content_digest,
            draft.attachments,
            doc,
        ),
    )


def update_comment(db: sqlite3.Connection, known: Known, draft: Draft, doc: bytes, move_to_ms: int | None) -> None:
    """`move_to_ms` gives the comment a new place in the order; None keeps the old one."""
    db.execute(
        "UPDATE comments SET revision = revision + 1, text_digest = ?, content_digest = ?, attachments = ?, doc = ?,"
        " at_ms = coalesce(?, at_ms) WHERE key = ?",
        (draft.text_digest, draft.content_digest, draft.attachments, doc, move_to_ms, known.key),
    )


def forget_predictions(db: sqlite3.Connection, keys: Sequence[int]) -> None:
    """What was computed from a text that has changed or gone."""
    listed = msgspec.json.encode(keys)
    for (model,) in db.execute("SELECT key FROM models").fetchall():
        db.execute(
            "DELETE FROM predictions WHERE model = ? AND comment IN (SELECT value FROM json_each(?))", (model, listed)
        )
    db.execute("DELETE FROM extractions WHERE comment IN (SELECT value FROM json_each(?))", (listed,))


def keys_of(db: sqlite3.Connection, source: int, comment_ids: Sequence[str]) -> dict[str, int]:
    rows = db.execute(
        "SELECT id, key FROM comments WHERE source = ? AND id IN (SELECT value FROM json_each(?))",
        (source, msgspec.json.encode(comment_ids)),
    )
    return dict(rows.fetchall())


def key_of_uid(db: sqlite3.Connection, uid: str) -> int | None:
    """The comment's part of a uid may hold dots, so the first one parts it from the source."""
    source_id, _, comment_id = uid.partition(".")
    row = db.execute(
        "SELECT c.key FROM comments c JOIN sources s ON s.key = c.source WHERE s.id = ? AND c.id = ?",
        (source_id, comment_id),
    ).fetchone()
    return None if row is None else int(row[0])


def delete_comments(db: sqlite3.Connection, keys: Sequence[int]) -> None:
    forget_predictions(db, keys)
    db.execute("DELETE FROM comments WHERE key IN (SELECT value FROM json_each(?))", (msgspec.json.encode(keys),))


def count_comments(db: sqlite3.Connection, sources: Sequence[int], after: Position) -> int:
    total = 0
    for source in sources:
        (count,) = db.execute(
            "SELECT count(*) FROM comments WHERE source = ? AND (at_ms, tie) > (?, ?)", (source, *after)
        ).fetchone()
        total += count
    return total


def rows_by_key(db: sqlite3.Connection, keys: Sequence[int], dataset: int, model: int) -> list[Row]:
    """In the order of `keys`; `dataset` and `model` choose the annotation and the predictions (-1 for none)."""
    return list(map(Row._make, db.execute(_ROW, (msgspec.json.encode(keys), dataset, model))))


def keys_in_order(db: sqlite3.Connection, sources: Sequence[int], after: Position) -> Iterator[int]:
    """Comment keys after a position, oldest upload first, from the index, only as far as they are asked for."""
    cursors = [
        db.execute(
            "SELECT at_ms, tie, key FROM comments WHERE source = ? AND (at_ms, tie) > (?, ?) ORDER BY at_ms, tie",
            (source, *after),
        )
        for source in sources
    ]
    return (key for _, _, key in heapq.merge(*cursors))


def walk(
    db: sqlite3.Connection, sources: Sequence[int], after: Position, dataset: int, model: int, chunk: int
) -> Iterator[Row]:
    """Whole rows in order, read `chunk` at a time. Must be used up before the file is written to."""
    keys = keys_in_order(db, sources, after)
    while block := list(islice(keys, chunk)):
        yield from rows_by_key(db, block, dataset, model)
