"""Where an entity stands in a text: half-open, in code points and in bytes of UTF-16."""

import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple


class Candidate(NamedTuple):
    """Something that was found: `start` and `end` count code points."""

    kind: str
    value: str
    start: int
    end: int


def is_whole(text: str, candidate: Candidate) -> bool:
    """False where a combining mark follows: the last character would be cut in two."""
    return candidate.end == len(text) or not unicodedata.combining(text[candidate.end])


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The same place without the blanks at its ends."""
    cut = text[start:end]
    return start + len(cut) - len(cut.lstrip()), end - (len(cut) - len(cut.rstrip()))


class Ruler:
    """Offsets of one text in bytes of UTF-16: two for each unit, so four for a character outside the basic plane."""

    def __init__(self, text: str) -> None:
        self._astral = [index for index, char in enumerate(text) if char > "\uffff"] if not text.isascii() else []

    def utf16_bytes(self, offset: int) -> int:
        """Bytes before a code point."""
        return 2 * offset + 2 * sum(1 for index in self._astral if index < offset)

    def span(self, candidate: Candidate, part: str, message_index: int) -> dict[str, Any]:
        """All six members of today's span; older profiles leave some out."""
        return {
            "content_part": part,
            "message_index": message_index,
            "char_start": candidate.start,
            "char_end": candidate.end,
            "utf16_byte_start": self.utf16_bytes(candidate.start),
            "utf16_byte_end": self.utf16_bytes(candidate.end),
        }


def without_overlaps(text: str, candidates: Iterator[Candidate]) -> list[Candidate]:
    """Whoever comes first keeps its place; the result is in reading order."""
    taken = bytearray(len(text))
    kept = []
    for candidate in candidates:
        if is_whole(text, candidate) and not any(taken[candidate.start : candidate.end]):
            taken[candidate.start : candidate.end] = b"\1" * (candidate.end - candidate.start)
            kept.append(candidate)
    return sorted(kept, key=lambda candidate: candidate.start)
