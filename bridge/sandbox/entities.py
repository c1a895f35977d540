"""Entities found in texts by form: monetary-quantity, percentage, date, email, url, phone."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

_CODES = "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|SEK|NOK|DKK|CNY|HKD|SGD|INR|PLN|CZK|ZAR"
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,4})?"
_SCALE = r"(?:\s?(?:k|m|mn|mm|bn|b|thousand|million|billion)\b)?"
_SCALES = {"k": 3, "thousand": 3, "m": 6, "mm": 6, "mn": 6, "million": 6, "b": 9, "bn": 9, "billion": 9}
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MONTH = "|".join(f"{name}|{name[:3]}" for name in _MONTHS)
_AMOUNT = re.compile(rf"(?P<number>{_NUMBER})(?P<scale>{_SCALE})", re.IGNORECASE)

MONEY = re.compile(
    rf"(?<![\w.,])(?:(?:{_CODES})\s?{_NUMBER}{_SCALE}|[$£€¥]\s?{_NUMBER}{_SCALE}|{_NUMBER}{_SCALE}\s?(?:(?:{_CODES})\b|€))(?![\w%])",
    re.IGNORECASE,
)
PERCENTAGE = re.compile(rf"(?<![\w.,])(?P<number>{_NUMBER})\s?(?:%|percent\b|per cent\b)", re.IGNORECASE)
EMAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b", re.ASCII)
URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"']{3,2000}", re.IGNORECASE)
PHONE = re.compile(r"(?<![\w+])(?:\+\d{1,3}[\s-]?)(?:\(?\d{1,4}\)?[\s-]?){2,5}\d{2,4}(?!\w)")
DATE_ISO = re.compile(r"(?<![\w-])(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)-(?P<day>\d\d)(?![\w-])")
DATE_WORDS = re.compile(
    rf"(?<!\w)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s(?P<month>{_MONTH})\.?,?\s(?P<year>(?:19|20)\d\d)(?!\w)",
    re.IGNORECASE,
)
DATE_WORDS_US = re.compile(
    rf"(?<!\w)(?P<month>{_MONTH})\.?\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<year>(?:19|20)\d\d)(?!\w)",
    re.IGNORECASE,
)
URL_TAIL = ".,;:!?)]}"


def _money(match: re.Match[str]) -> str | None:
    """`1,000,000.00 USD`; a sign that many currencies share stays before the number (fact sheet, entity kinds)."""
    text = match.group()
    amount = _AMOUNT.search(text)
    if amount is None:
        return None
    power = _SCALES.get(amount.group("scale").strip().lower(), 0)
    try:
        value = Decimal(amount.group("number").replace(",", "")).scaleb(power)
    except InvalidOperation:
        return None
    code = re.search(_CODES, text, re.IGNORECASE)
    if code:
        return f"{value:,.2f} {code.group().upper()}"
    sign = next(char for char in text if char in "$£€¥")
    return f"{sign}{value:,.2f}" if sign in "$¥" else f"{value:,.2f} {'GBP' if sign == '£' else 'EUR'}"


def _date(match: re.Match[str]) -> str | None:
    month = match.group("month")
    number = (
        int(month)
        if month.isdigit()
        else 1 + next(i for i, name in enumerate(_MONTHS) if name.startswith(month.lower()))
    )
    try:
        day = datetime(int(match.group("year")), number, int(match.group("day")), tzinfo=UTC)
    except ValueError:
        return None
    return day.strftime("%Y-%m-%d %H:%M UTC")


_FINDERS: Sequence[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str | None]]] = (
    ("email", EMAIL, lambda match: match.group().lower()),
    ("url", URL, lambda match: match.group().rstrip(URL_TAIL)),
    ("date", DATE_ISO, _date),
    ("date", DATE_WORDS, _date),
    ("date", DATE_WORDS_US, _date),
    ("monetary-quantity", MONEY, _money),
    ("percentage", PERCENTAGE, lambda match: f"{match.group('number').replace(',', '')}%"),
    ("phone", PHONE, lambda match: re.sub(r"[\s()-]", "", match.group())),
)
KINDS = tuple(dict.fromkeys(kind for kind, _, _ in _FINDERS))


def find_entities(texts: Sequence[tuple[int, str, str]]) -> list[dict[str, Any]]:
    """Entities of a comment in reading order, from (message index, content part, text); no two of one text overlap."""
    found: list[dict[str, Any]] = []
    for message_index, part, text in texts:
        taken: list[tuple[int, int]] = []
        for kind, value, start, end in _candidates(text):
            if all(end <= low or start >= high for low, high in taken):
                taken.append((start, end))
                found.append(_entity(kind, value, _span(text, start, end, part, message_index)))
    found.sort(
        key=lambda entity: (
            entity["span"]["message_index"],
            entity["span"]["content_part"],
            entity["span"]["char_start"],
        )
    )
    return found


def _candidates(text: str) -> Iterator[tuple[str, str, int, int]]:
    for kind, pattern, value_of in _FINDERS:
        for match in pattern.finditer(text):
            value = value_of(match)
            if value is not None:
                end = match.start() + len(match.group().rstrip(URL_TAIL)) if kind == "url" else match.end()
                yield kind, value, match.start(), end


def _entity(kind: str, value: str, span: dict[str, Any]) -> dict[str, Any]:
    place = f"{span['message_index']} {span['content_part']} {span['char_start']} {kind}"
    return {
        "id": blake2b(place.encode(), digest_size=8).hexdigest(),
        "name": kind,
        "kind": kind,
        "formatted_value": value,
        "span": span,
        "spans": [span],
        "probability": None,
        "capture_ids": [],
    }


def _span(text: str, start: int, end: int, part: str, message_index: int) -> dict[str, Any]:
    """Half-open; `utf16_byte_*` are two for each UTF-16 unit, `char_*` count code points."""
    return {
        "content_part": part,
        "message_index": message_index,
        "char_start": start,
        "char_end": end,
        "utf16_byte_start": _utf16_bytes(text[:start]),
        "utf16_byte_end": _utf16_bytes(text[:end]),
    }


def _utf16_bytes(text: str) -> int:
    return 2 * len(text) if text.isascii() else 2 * sum(1 if char <= "\uffff" else 2 for char in text)
