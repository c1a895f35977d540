"""Dates: a cheap pattern proposes, dateparser decides. Its own search takes 0.2 s for a mail of two pages."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain

from babel import Locale
from dateparser.date import DateDataParser

from bridge.sandbox.entities.spans import Candidate

_EN = Locale("en")
_MONTH = "|".join(
    sorted({*_EN.months["format"]["wide"].values(), *_EN.months["format"]["abbreviated"].values(), "Sept"}, key=len)[
        ::-1
    ]
)
_DAY = r"[0-3]?[0-9](?:st|nd|rd|th)?"
_YEAR = r"(?:19|20)[0-9]{2}"
_CLOCK = (
    r"(?:[,T]?\s?(?:at\s)?[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?(?:\s?[ap]m\b)?"
    r"(?:\s?(?:Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})(?!\w))?)?"
)
PATTERNS = tuple(
    re.compile(rf"(?<![\w./-])(?:{form}){_CLOCK}(?![\w-]|[./][0-9])", re.IGNORECASE)
    for form in (
        rf"{_YEAR}(?P<iso>[-/.])[01]?[0-9](?P=iso)[0-3]?[0-9]",
        rf"[0-3]?[0-9](?P<own>[-/.])[0-3]?[0-9](?P=own){_YEAR}",
        rf"{_DAY}(?:\s(?:of\s)?|-)(?:{_MONTH})(?:\.?,?\s|-){_YEAR}",
        rf"(?:{_MONTH})\.?\s{_DAY},?\s{_YEAR}",
    )
)
_STRICT = {"PARSERS": ["absolute-time"], "REQUIRE_PARTS": ["day", "month", "year"], "STRICT_PARSING": True}
_PARSERS = tuple(
    DateDataParser(languages=["en"], settings={**_STRICT, "DATE_ORDER": order}) for order in ("DMY", "MDY")
)
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")


def find_dates(text: str) -> Iterator[Candidate]:
    """Kind date, as `2020-06-01 00:00 UTC`. What reads as two days, such as 01/02/2020, is neither."""
    for match in chain.from_iterable(pattern.finditer(text) for pattern in PATTERNS):
        value = _value(match.group())
        if value is not None:
            yield Candidate("date", value, match.start(), match.end())


@lru_cache(maxsize=4096)
def _value(words: str) -> str | None:
    """None for what is no day, or more than one."""
    year_first = _YEAR_FIRST.match(words)
    if year_first and not _is_day(*map(int, year_first.groups())):
        # the library would swap day and month to make sense of it
        return None
    readings = {parser.get_date_data(words).date_obj for parser in _PARSERS}
    if len(readings) > 1:
        return None
    (moment,) = readings
    if moment is None:
        return None
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%d %H:%M UTC")


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return False
    return True
