"""Large uploads from a file of JSON lines, in batches, to be taken up again where they were broken off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from bridge.adapters.platform.comments import Comments
from bridge.adapters.platform.resources import SyncCounts

BATCH_COMMENTS = 1024
"""The limit of the documents of 2020; today's is higher."""
BATCH_BYTES_MAX = 8 * 1024 * 1024
READ_BYTES = 1024 * 1024


class BadLine(ValueError):
    """A line of the file is no comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a file is uploaded: `digest` is of its first `offset` bytes, so that another file is not mistaken."""

    source: str
    offset: int = 0
    lines: int = 0
    digest: str = ""
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some lines, and where the file stands after them."""

    comments: list[dict[str, Any]]
    raw: list[bytes]
    offset: int
    lines: int


def mark_file(file: Path) -> Path:
    """Where the mark is kept until the upload is whole."""
    return file.with_name(f"{file.name}.upload")


async def upload(
    comments: Comments, source: str, file: Path, on_progress: Callable[[int, SyncCounts], None]
) -> SyncCounts:
    """Uploads what is not uploaded yet. Raises BadLine, OSError, or what `sync` raises; then the mark stays.

    A batch whose mark was not written in time is sent once more, and counted as unchanged.
    `on_progress` hears the bytes that are done and the counts so far.
    """
    mark = _resumed(file, source)
    counts, seen = SyncCounts(**mark.counts), _hash(file, mark.offset)
    on_progress(mark.offset, counts)
    with file.open("rb") as opened:
        opened.seek(mark.offset)
        for batch in _batches(opened, mark):
            counts += await comments.sync(source, batch.comments)
            for line in batch.raw:
                seen.update(line)
            place = {"offset": batch.offset, "lines": batch.lines, "digest": seen.hexdigest()}
            _keep(file, {"source": source, **place, "counts": counts.model_dump()})
            on_progress(batch.offset, counts)
    mark_file(file).unlink(missing_ok=True)
    return counts


def _batches(lines: Iterable[bytes], mark: Mark) -> Iterator[Batch]:
    comments: list[dict[str, Any]] = []
    raw: list[bytes] = []
    offset, number, size = mark.offset, mark.lines, 0
    for line in lines:
        if comments and (len(comments) == BATCH_COMMENTS or size + len(line) > BATCH_BYTES_MAX):
            yield Batch(comments=comments, raw=raw, offset=offset, lines=number)
            comments, raw, size = [], [], 0
        offset, number, size = offset + len(line), number + 1, size + len(line)
        raw.append(line)
        if line.strip():
            comments.append(_comment(line, number))
    if comments:
        yield Batch(comments=comments, raw=raw, offset=offset, lines=number)


def _comment(line: bytes, number: int) -> dict[str, Any]:
    """A comment, or an object whose `comment` is one. Its text stays out of the message (I10)."""
    try:
        value = json.loads(line)
    except ValueError as error:
        raise BadLine(f"line {number} is not JSON") from error
    inner = value.get("comment", value) if isinstance(value, dict) else None
    if not isinstance(inner, dict) or "id" not in inner:
        raise BadLine(f"line {number} is no comment: an object with an id is needed")
    return inner


def _resumed(file: Path, source: str) -> Mark:
    """The mark left by an upload of the same beginning into the same source, or a new one."""
    try:
        mark = Mark(**json.loads(mark_file(file).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return Mark(source=source)
    same = (
        mark.source == source
        and mark.offset <= file.stat().st_size
        and mark.digest == _hash(file, mark.offset).hexdigest()
    )
    return mark if same else Mark(source=source)


def _hash(file: Path, offset: int) -> blake2b:
    """Of the first `offset` bytes."""
    state = blake2b(digest_size=16)
    with file.open("rb") as opened:
        while offset > 0 and (part := opened.read(min(offset, READ_BYTES))):
            state.update(part)
            offset -= len(part)
    return state


def _keep(file: Path, mark: dict[str, Any]) -> None:
    """Whole or not at all."""
    new = file.with_name(f"{file.name}.upload-new")
    new.write_text(json.dumps(mark), encoding="utf-8")
    new.replace(mark_file(file))
