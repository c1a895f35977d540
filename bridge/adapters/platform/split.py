"""JSON taken apart by its brackets alone, for pages the strict decoder refuses: no recursion, no text decoded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:"]', re.DOTALL)
_KEY = re.compile(rb'\s*("[^"\\]*+(?:\\.[^"\\]*+)*+")\s*:', re.DOTALL)
_CLOSES = {b"]": b"[", b"}": b"{"}


class NotBalanced(ValueError):
    """The text ends early, goes on after its end, or its brackets do not pair."""


def split_elements(text: bytes) -> list[bytes]:
    """The elements of a JSON array, each byte for byte, blanks around it taken off."""
    return list(_children(text, b"["))


def split_members(text: bytes) -> list[tuple[str, bytes]]:
    """The members of a JSON object in their order, repeated keys included; values byte for byte."""
    members = []
    for member in _children(text, b"{"):
        key = _KEY.match(member)
        if key is None:
            raise NotBalanced("a member without a key")
        members.append((_text_of(key[1]), member[key.end() :].strip()))
    return members


def _text_of(key: bytes) -> str:
    try:
        return str(json.loads(key.decode("utf-8", "surrogateescape"), strict=False))
    except ValueError as error:
        raise NotBalanced("a key that is not a JSON string") from error


def _children(text: bytes, opening: bytes) -> Iterator[bytes]:
    text = text.strip()
    if text[:1] != opening:
        raise NotBalanced(f"no {opening.decode()} at the start")
    commas, end = _outline(text)
    if end != len(text):
        raise NotBalanced("text after the end")
    if not commas and not text[1:-1].strip():
        return
    start = 1
    for comma in (*commas, end - 1):
        yield text[start:comma].strip()
        start = comma + 1


def _outline(text: bytes) -> tuple[list[int], int]:
    """The places of the commas of the outermost level, and where that level ends."""
    commas: list[int] = []
    opened: list[bytes] = []
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in (b"[", b"{"):
            opened.append(sign)
        elif sign in _CLOSES:
            if opened.pop() != _CLOSES[sign]:
                break
            if not opened:
                return commas, token.end()
        elif sign == b"," and len(opened) == 1:
            commas.append(token.start())
        elif sign == b'"':
            break
    raise NotBalanced("the brackets do not pair")
