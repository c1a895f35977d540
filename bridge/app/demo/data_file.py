"""Reads `--data`: JSON lines `{"comment": {...}, "labels": [["Parent", "Child"], ...]}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bridge.app.demo.failures import BadInput
from bridge.app.demo.uploads import Upload
from bridge.domain.labels import ANY_LEVEL, ANY_LEVELS, LEVEL_CHARS_MAX, LEVELS_MAX
from bridge.domain.model import Label

UPLOADED_KEYS = ("id", "timestamp", "messages", "thread_id", "user_properties", "attachments", "text_format")
"""What `sync` takes. Anything else of an exported comment, such as `uid`, is the platform's own and is left out."""
DEFAULT_TIMESTAMP = "2026-03-02T08:00:00Z"


def read_data(path: Path) -> list[Upload]:
    """Lines with labels teach the model, the others are only carried. Raises BadInput with the line of a mistake."""
    uploads: list[Upload] = []
    lines: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    uploads.append(_upload(line, number))
                    _refuse_repeat(uploads[-1].comment_id, number, lines)
    except _Mistake as mistake:
        raise BadInput(f"{path}:{mistake.line}: {mistake}") from mistake
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    if not any(upload.teaches for upload in uploads):
        raise BadInput(f'{path}: no line has "labels", so there is nothing to train a model on')
    return uploads


class _Mistake(Exception):
    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


def _upload(line: str, number: int) -> Upload:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise _Mistake(number, f"not JSON: {error}") from error
    if not isinstance(row, Mapping) or not isinstance(row.get("comment"), Mapping):
        raise _Mistake(number, 'an object with "comment" is needed')
    labels = _labels(row.get("labels") or [], number)
    comment = {key: row["comment"][key] for key in UPLOADED_KEYS if key in row["comment"]}
    if not isinstance(comment.get("messages"), list):
        raise _Mistake(number, '"comment" needs a list of "messages"')
    filled = {"id": f"{number:016x}", "timestamp": DEFAULT_TIMESTAMP, **comment}
    return Upload(comment=filled, labels=labels, teaches=bool(labels))


def _labels(listed: object, number: int) -> tuple[Label, ...]:
    if not isinstance(listed, list) or not all(_is_label(label) for label in listed):
        raise _Mistake(
            number,
            f'"labels" is a list of lists of levels, 1 to {LEVELS_MAX} levels of 1 to {LEVEL_CHARS_MAX} characters,'
            f" none of them {ANY_LEVEL} or {ANY_LEVELS}",
        )
    return tuple(dict.fromkeys(tuple(label) for label in listed))


def _is_label(label: object) -> bool:
    return isinstance(label, list) and 1 <= len(label) <= LEVELS_MAX and all(map(_is_level, label))


def _is_level(level: object) -> bool:
    return (
        isinstance(level, str)
        and 1 <= len(level) <= LEVEL_CHARS_MAX
        and bool(level.strip())
        and level not in (ANY_LEVEL, ANY_LEVELS)
    )


def _refuse_repeat(comment_id: str, number: int, lines: dict[str, int]) -> None:
    first = lines.setdefault(comment_id, number)
    if first != number:
        raise _Mistake(number, f"the comment id {comment_id!r} is on line {first} already")
