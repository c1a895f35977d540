"""Money, percentages, quantities and numbers, by the names and signs of CLDR (through babel)."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_name, get_territory_currencies, parse_decimal
from babel.units import format_unit

from bridge.sandbox.entities.spans import Candidate

_EN = Locale("en")
WORD_CODES: Final = frozenset({"ALL", "CUP", "GEL", "MAD", "MOP", "PEN", "SOS", "TOP", "TRY", "ANG", "BAM", "BOB"})
"""Codes that are also words: read as money only in capitals and behind the amount."""
SHARED_SIGNS: Final = frozenset("$¥")
"""Signs of many currencies: they stay before the number (issue's `$1M`)."""
_SCALES: Final = {"k": 3, "thousand": 3, "m": 6, "mm": 6, "mn": 6, "million": 6, "b": 9, "bn": 9, "billion": 9}
UNITS: Final = (
    "mass-tonne", "mass-kilogram", "mass-gram", "mass-milligram", "mass-pound", "mass-ounce",
    "length-kilometer", "length-meter", "length-centimeter", "length-millimeter", "length-mile", "length-yard",
    "length-foot", "length-inch", "area-square-kilometer", "area-hectare", "area-square-meter", "area-square-foot",
    "area-acre", "volume-cubic-meter", "volume-liter", "volume-milliliter", "volume-gallon", "volume-barrel",
    "volume-bushel", "digital-terabyte", "digital-gigabyte", "digital-megabyte", "digital-kilobyte", "digital-byte",
    "duration-year", "duration-month", "duration-week", "duration-day", "duration-hour", "duration-minute",
    "duration-second", "duration-millisecond", "energy-kilowatt-hour", "power-megawatt", "power-kilowatt", "power-watt",
    "electric-volt", "electric-ampere", "speed-kilometer-per-hour", "speed-mile-per-hour", "temperature-celsius",
    "temperature-fahrenheit", "frequency-hertz", "frequency-megahertz", "frequency-gigahertz", "pressure-bar",
)  # fmt: skip
"""CLDR names of the units that trade and everyday mail speak of."""
AMBIGUOUS_UNITS: Final = frozenset({"in", "t", "m", "pound", "pounds", "W", "A", "V"})
"""Ways to write a unit that as often mean something else: `in`, a million, a currency, a part number."""
PERCENT_WORDS: Final = r"%|percent\b|per cent\b"


def _codes() -> set[str]:
    """Of the currencies in use today; the historic ones collide with words and part numbers."""
    return {
        str(code) for territory in get_global("territory_currencies") for code in get_territory_currencies(territory)
    }


def _signs(codes: Iterable[str]) -> dict[str, str]:
    """Sign to code, where CLDR has a sign; those that English writes with letters (`CA$`, `HK$`) are unambiguous."""
    signs = {sign: code for code, sign in _EN.currency_symbols.items() if code in codes and not sign.isalpha()}
    return {**{sign: code for sign, code in signs.items() if sign not in SHARED_SIGNS}, "US$": "USD"}


def _currency_words(codes: Iterable[str]) -> dict[str, str]:
    """`euros`, `british pounds`: the names as English writes them, in small letters."""
    names = ((get_currency_name(code, count=count, locale="en"), code) for code in codes for count in (1, 2))
    return {name.lower(): code for name, code in names}


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


CODES: Final = frozenset(_codes())
SIGNS: Final = _signs(CODES)
CURRENCY_WORDS: Final = _currency_words(CODES)
_NUMBER = r"(?:[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]{1,2}|(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,4})?)"
_SCALE = rf"(?:\s?(?i:{_alternatives(_SCALES)})\b)?"
_SCALED = rf"(?P<number>{_NUMBER})(?P<scale>{_SCALE})"
_START, _END = r"(?<![\w.,])", r"(?![\w%]|[.,][0-9])"
_PLAIN = _alternatives(CODES - WORD_CODES)
_SIGN = _alternatives({*SIGNS, *SHARED_SIGNS})
_AFTER = rf"(?i:{_PLAIN})\b|(?:{_alternatives(WORD_CODES)})\b|(?i:{_alternatives(CURRENCY_WORDS)})\b"
MONEY: Final = re.compile(
    # the look ahead keeps the long list of codes from being tried at every word
    rf"{_START}(?=[^0-9]{{0,5}}[0-9])(?:(?P<before>(?i:{_PLAIN})(?:\s?[$])?|{_SIGN})\s?)?{_SCALED}(?:\s?(?P<after>{_AFTER}|[€£₹]))?{_END}"
)
PERCENTAGE: Final = re.compile(rf"{_START}(?P<number>[+-]?{_NUMBER})\s?(?:{PERCENT_WORDS})", re.IGNORECASE)
NUMBER: Final = re.compile(
    rf"(?<![\w.,/:-])(?P<number>{_NUMBER})(?P<scale>(?:\s(?i:thousand|million|billion)\b)?)(?![\w%-]|[.,:/][0-9])"
)


def _units() -> dict[str, str]:
    """How a unit is written, in American or British English, long or short, to its CLDR name."""
    found: dict[str, str] = {}
    for unit in UNITS:
        for count in (1, 2):
            for locale in ("en", "en_GB"):
                for length in ("long", "short"):
                    written = format_unit(count, unit, length=length, locale=locale)
                    found.setdefault(written.removeprefix(str(count)).strip(), unit)
    return {word: unit for word, unit in found.items() if word not in AMBIGUOUS_UNITS}


UNIT_WORDS: Final = _units()
QUANTITY: Final = re.compile(
    rf"{_START}(?P<number>{_NUMBER})[\s-]?(?P<unit>{_alternatives(UNIT_WORDS)})(?![\w/])", re.ASCII
)


def find_amounts(text: str) -> Iterator[Candidate]:
    """Kinds monetary-quantity, percentage, quantity and number, the more telling ones first."""
    for match in MONEY.finditer(text):
        if match.group("before") or match.group("after"):
            yield Candidate("monetary-quantity", _money(match), match.start(), match.end())
    for match in PERCENTAGE.finditer(text):
        yield Candidate("percentage", f"{_decimal(match.group('number')):f}%", match.start(), match.end())
    for match in QUANTITY.finditer(text):
        value = _decimal(match.group("number"))
        written = format_unit(value, UNIT_WORDS[match.group("unit")], length="long", locale="en")
        yield Candidate("quantity", written, match.start(), match.end())
    for match in NUMBER.finditer(text):
        yield Candidate("number", f"{_scaled(match):f}", match.start(), match.end())


def _money(match: re.Match[str]) -> str:
    """`1,000,000.00 USD`; a sign that many currencies share stays before the number unless a code settles it."""
    value = f"{_scaled(match):,.2f}"
    before, after = (match.group("before") or "").strip(), (match.group("after") or "").strip()
    code = _code_of(after) or _code_of(before) or _code_of(before.removesuffix("$").strip())
    return f"{value} {code}" if code else f"{before}{value}"


def _code_of(written: str) -> str | None:
    """None for nothing, and for a sign that many currencies share."""
    if written.upper() in CODES:
        return written.upper()
    return SIGNS.get(written) or CURRENCY_WORDS.get(written.lower())


def _scaled(match: re.Match[str]) -> Decimal:
    return _decimal(match.group("number")).scaleb(_SCALES.get(match.group("scale").strip().lower(), 0)) + 0


@lru_cache(maxsize=4096)
def _decimal(written: str) -> Decimal:
    """English grouping, or the continental one where a comma ends it."""
    continental = re.fullmatch(r"[+-]?[0-9.]+,[0-9]{1,2}", written)
    return parse_decimal(written.lstrip("+"), locale="de" if continental else "en")
