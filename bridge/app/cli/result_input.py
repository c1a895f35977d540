"""Results from a file or a stream: one result, a whole page of fetch, a list, or one of these on each line."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from bridge.adapters.platform.split import NotBalanced, split_elements, split_members
from bridge.adapters.platform.wire import decode_page, decode_result
from bridge.domain.errors import Retry
from bridge.domain.model import Result, Undecodable

STREAM = "-"
PAGE_SIZE = 1024


def results_from(source: str) -> Iterator[Result | Undecodable]:
    """Results of a file, or of stdin for `-`, as they come. Raises OSError, or ValueError with a sentence."""
    if source == STREAM:
        yield from results_in(sys.stdin.buffer)
        return
    with Path(source).open("rb") as opened:
        yield from results_in(opened)


def results_in(lines: Iterable[bytes]) -> Iterator[Result | Undecodable]:
    """Line by line where the first line is complete in itself; otherwise the whole is one JSON text."""
    remaining = iter(lines)
    first = next((line for line in remaining if line.strip()), b"")
    first = first.removeprefix(b"\xef\xbb\xbf")
    if not first:
        return
    if not _is_complete(first):
        yield from _results_of(b"".join(chain([first], remaining)))
        return
    for line in chain([first], remaining):
        if line.strip():
            yield from _results_of(line)


def _is_complete(text: bytes) -> bool:
    try:
        split_elements(text) if text.lstrip().startswith(b"[") else split_members(text)
    except NotBalanced:
        return False
    return True


def _results_of(text: bytes) -> Iterator[Result | Undecodable]:
    try:
        if text.lstrip().startswith(b"["):
            yield from map(decode_result, split_elements(text))
        elif "results" in dict(split_members(text)):
            yield from decode_page(text, PAGE_SIZE).results
        else:
            yield decode_result(text)
    except NotBalanced as error:
        raise ValueError(f"not JSON: {error}") from error
    except Retry as error:
        raise ValueError(f"not a page of results: {error}") from error
