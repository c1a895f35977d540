"""The SQLite file: its tables, its version, its transactions."""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.sandbox.store.listing import INDEX

FORMAT_VERSION = 1
"""Kept in the file's `user_version`; a file of another version is refused, not guessed at."""

CACHE_KIB = 16 * 1024
"""Holds the largest page of a trigger with its index; SQLite's own default of 2 MB reads it anew for each fetch."""

TABLES = """
CREATE TABLE sources (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, name TEXT NOT NULL,
    doc BLOB NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, UNIQUE (owner, name));
CREATE TABLE datasets (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, name TEXT NOT NULL,
    doc BLOB NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, UNIQUE (owner, name));
-- AUTOINCREMENT: a key is never used twice, so nothing kept for a deleted comment can be taken for another's.
CREATE TABLE comments (
    key INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL REFERENCES sources (key) ON DELETE CASCADE,
    id TEXT NOT NULL, at_ms INTEGER NOT NULL, tie BLOB NOT NULL, created_ms INTEGER NOT NULL,
    revision INTEGER NOT NULL, text_digest BLOB NOT NULL, content_digest BLOB NOT NULL,
    attachments BLOB, doc BLOB NOT NULL, UNIQUE (source, id));
CREATE UNIQUE INDEX comments_in_order ON comments (source, at_ms, tie);
CREATE TABLE uploads (latest_ms INTEGER NOT NULL);
INSERT INTO uploads VALUES (0);
CREATE TABLE annotations (
    dataset INTEGER NOT NULL REFERENCES datasets (key) ON DELETE CASCADE,
    comment INTEGER NOT NULL REFERENCES comments (key) ON DELETE CASCADE,
    doc BLOB NOT NULL, PRIMARY KEY (dataset, comment)) WITHOUT ROWID;
CREATE INDEX annotations_of_comment ON annotations (comment);
CREATE TABLE models (
    key INTEGER PRIMARY KEY AUTOINCREMENT, dataset INTEGER NOT NULL REFERENCES datasets (key) ON DELETE CASCADE,
    version INTEGER NOT NULL, trained_ms INTEGER NOT NULL, pinned_ms INTEGER, summary BLOB NOT NULL,
    weights BLOB NOT NULL, UNIQUE (dataset, version));
CREATE TABLE predictions (
    model INTEGER NOT NULL, comment INTEGER NOT NULL, labels BLOB NOT NULL,
    PRIMARY KEY (model, comment)) WITHOUT ROWID;
CREATE TABLE extractions (comment INTEGER PRIMARY KEY, entities BLOB NOT NULL);
CREATE TABLE triggers (
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    dataset INTEGER NOT NULL REFERENCES datasets (key) ON DELETE CASCADE, name TEXT NOT NULL, doc BLOB NOT NULL,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, tie BLOB NOT NULL,
    UNIQUE (dataset, name));
CREATE TABLE exceptions (
    trigger INTEGER NOT NULL REFERENCES triggers (key) ON DELETE CASCADE,
    comment INTEGER NOT NULL REFERENCES comments (key) ON DELETE CASCADE,
    type TEXT NOT NULL, PRIMARY KEY (trigger, comment)) WITHOUT ROWID;
CREATE INDEX exceptions_of_comment ON exceptions (comment);
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Opens or makes the file; what was answered with success survives the death of the process.

    The connection is used by one thread at a time; work that leaves the event loop takes its data along.
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORMAT_VERSION}; COMMIT;")
        elif version != FORMAT_VERSION:
            raise ValueError(f"{path} has format {version}, this sandbox reads format {FORMAT_VERSION}")
        db.execute(INDEX)
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; the write lock is taken at once, so no half of it can fail on a lock later."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def new_id() -> str:
    """16 hexadecimal digits, as all ids of the platform's own making."""
    return secrets.token_hex(8)
