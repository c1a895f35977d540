"""Comments by their own time, and annotated comments in upload order: the pages the vendor's client reads."""

import sqlite3

TIME = "json_extract(CAST(doc AS TEXT), '$.timestamp')"
"""Stored times all have the one printed form, so their order as text is that of time."""
INDEX = f"CREATE INDEX IF NOT EXISTS comments_by_time ON comments (source, {TIME}, id)"


_SELECT = f"SELECT key, {TIME}, id FROM comments WHERE source = ? AND {TIME} >= ? AND {TIME} <= ?"  # noqa: S608  constants only
_FORWARD = f"{_SELECT} AND ({TIME}, id) > (?, ?) ORDER BY {TIME}, id LIMIT ?"
_BACKWARD = f"{_SELECT} AND ({TIME}, id) < (?, ?) ORDER BY {TIME} DESC, id DESC LIMIT ?"
BEFORE_ALL, AFTER_ALL = ("", ""), ("~", "")


def keys_by_time(
    db: sqlite3.Connection,
    source: int,
    after: tuple[str, str] | None,
    between: tuple[str, str],
    limit: int,
    *,
    descending: bool = False,
) -> list[tuple[int, str, str]]:
    """Key, time and id of comments from one time to another, both included, after a time and id in that direction."""
    low, high = between
    if descending:
        last = after or AFTER_ALL
        return db.execute(_BACKWARD, (source, low, min(high, last[0]), *last, limit)).fetchall()
    last = after or BEFORE_ALL
    return db.execute(_FORWARD, (source, max(low, last[0]), high, *last, limit)).fetchall()


def annotated_keys(db: sqlite3.Connection, dataset: int, after_key: int, limit: int) -> list[int]:
    """Comments annotated in the dataset, by key."""
    rows = db.execute(
        "SELECT comment FROM annotations WHERE dataset = ? AND comment > ? ORDER BY comment LIMIT ?",
        (dataset, after_key, limit),
    )
    return [key for (key,) in rows]
