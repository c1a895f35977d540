"""The small languages of the file: durations, topics, labels, keys. Each reader raises ValueError with a sentence."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite
from urllib.parse import SplitResult, urlsplit

from bridge.adapters.redis_ledger.address import address_of
from bridge.domain.labels import (
    ANY_LEVEL,
    ANY_LEVELS,
    LEVEL_CHARS_MAX,
    LEVELS_MAX,
    levels_of,
)
from bridge.domain.model import Label
from bridge.domain.plan import KeyFrom, KeyKind

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_AMOUNT = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>{_AMOUNT}){unit})?" for unit in _UNITS))
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_PROPERTY_KEY = re.compile(r"""user_properties\[(?P<quote>["'])(?P<name>.+)(?P=quote)\]""")
_PLAIN_KEYS = {"comment.uid": KeyKind.COMMENT_UID, "comment.thread_id": KeyKind.THREAD_ID, "none": KeyKind.NONE}
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_NOT_IN_LABELS = re.compile("[\x00-\x1f\x7f\u2028\u2029]")
PORT_MAX = 65_535


def duration_s(value: object) -> float:
    """Seconds of `500ms`, `5s`, `1m30s`, `24h`, `7d`."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f"a duration needs its unit: write {value}s, or ms, m, h, d")
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        raise ValueError("a duration is written like 500ms, 5s, 1m30s or 24h")
    return sum(float(found[unit]) * size for unit, size in _UNITS.items() if found[unit])


def topic(value: object) -> str:
    """A name that Kafka takes."""
    if not isinstance(value, str):
        raise ValueError("a topic is text; put a name of digits only in quotes")
    if value in (".", "..") or not _TOPIC.fullmatch(value):
        raise ValueError(
            "not a topic name that Kafka takes: 1 to 249 of the characters a-z A-Z 0-9 . _ -, and not . or .. alone"
        )
    return value


def label_pattern(value: object) -> Label:
    """The levels of a label, written as text or as a list."""
    if isinstance(value, str):
        levels = levels_of(value)
    elif isinstance(value, list) and value and all(isinstance(level, str) for level in value):
        levels = tuple(value)
    else:
        raise ValueError("a label is text such as Trade > Settlement, or a list of its levels; put numbers in quotes")
    if len(levels) > LEVELS_MAX:
        raise ValueError(f"a label has at most {LEVELS_MAX} levels, this one has {len(levels)}")
    for level in levels:
        _check_level(level)
    return levels


def _check_level(level: str) -> None:
    if not level.strip():
        raise ValueError(
            "a level of the label is empty: write the levels joined by one ' > ', as in Trade > Settlement"
        )
    if level != level.strip():
        raise ValueError(f"the level {level!r} begins or ends with a blank: levels are joined by exactly ' > '")
    if len(level) > LEVEL_CHARS_MAX:
        raise ValueError(
            f"a level of a label has at most {LEVEL_CHARS_MAX} characters, {level[:20]!r}... has {len(level)}"
        )
    if _NOT_IN_LABELS.search(level):
        raise ValueError(f"the level {level!r} holds a line break or another character that no label has")
    if set(level) == {"*"} and level not in (ANY_LEVEL, ANY_LEVELS):
        raise ValueError(f"{level} is no wildcard: * is one level, ** any number of levels")


def key_from(value: object) -> KeyFrom:
    """Where the record key comes from."""
    if isinstance(value, str) and value in _PLAIN_KEYS:
        return KeyFrom(kind=_PLAIN_KEYS[value])
    if isinstance(value, str) and (found := _PROPERTY_KEY.fullmatch(value)):
        return KeyFrom(kind=KeyKind.USER_PROPERTY, user_property=found["name"])
    known = f"""{", ".join(_PLAIN_KEYS)} or user_properties["string:Name"]"""
    raise ValueError(f"not a record key{did_you_mean(value, _PLAIN_KEYS)}: write one of {known}")


def bootstrap_servers(value: object) -> str:
    """host:port, several joined by commas or as a list."""
    servers = value if isinstance(value, list) else str(value or "").split(",")
    spelled = [each.strip() if isinstance(each, str) else "" for each in servers]
    for each in spelled or [""]:
        found = _HOST_PORT.fullmatch(each)
        if found is None or not 0 < int(found[2]) <= PORT_MAX:
            raise ValueError("write bootstrap servers as host:port, several joined by commas")
    return ",".join(spelled)


def base_url(value: object) -> str:
    """The platform's address; a path is normal, anything behind it is not."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write the platform's address like https://cloud.uipath.com/acme/prod/reinfer_")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address must not hold a user or a password: use `token` or `token_file`")
    if parts.query or parts.fragment:
        raise ValueError("the address ends with its path: remove what stands from ? or # on")
    return str(value).rstrip("/")


def redis_url(value: object) -> str:
    """One of the forms that the ledger's settings list."""
    if not isinstance(value, str):
        raise ValueError("a Redis URL is text such as redis://redis:6379/0")
    address_of(value)
    return value


def token(value: object) -> str:
    """Something that can stand in a header."""
    if not isinstance(value, str) or not value:
        raise ValueError("a token is text, and not empty; put one of digits only in quotes")
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError("a token holds a blank, a line break or a character beyond ASCII: look for a stray one")
    return value


def _split(value: object) -> SplitResult | None:
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return None
    try:
        parts = urlsplit(value)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def property_values(value: object) -> tuple[str | float, ...]:
    """What a user property may be one of."""
    if not isinstance(value, list) or not value:
        raise ValueError("one_of is a list with at least one text or number")
    for each in value:
        if isinstance(each, bool) or not isinstance(each, (str, int, float)):
            raise ValueError("one_of takes texts and numbers; put true, false and null in quotes if they are texts")
        if isinstance(each, float) and not isfinite(each):
            raise ValueError("one_of takes texts and finite numbers")
    return tuple(value)


def did_you_mean(value: object, known: Iterable[str]) -> str:
    """`, did you mean x?` where something similar is known, empty otherwise."""
    names = {name.lower().replace("_", "-"): name for name in known}
    near = get_close_matches(str(value).lower().replace("_", "-"), names, n=1, cutoff=0.6)
    return f", did you mean {names[near[0]]}?" if near else ""
