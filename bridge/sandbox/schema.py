"""A validator for the part of JSON Schema the request shapes use, with the messages the platform's refusals have.

Checks are compiled once; a valid comment costs some microseconds, which a library made for all of the
standard does not reach. Tests hold it against such a library.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from bridge.sandbox.errors import ApiError, bad_request
from bridge.sandbox.times import parse_time

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and math.isfinite(value))
    ),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
    ),
}

Schema = Mapping[str, Any]
Check = Callable[[Any], None]
SHOWN_MAX = 200
"""A refused value is quoted up to this many characters, so that a refusal never carries a whole mail."""


class Mismatch(Exception):
    """What does not fit, with the way to it, innermost first."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: list[str] = []


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "..."


def _type(names: str | list[str], _: Schema) -> Check:
    wanted = [names] if isinstance(names, str) else names
    fits = [TYPES[name] for name in wanted]
    words = ", ".join(repr(name) for name in wanted)

    def check(value: Any) -> None:
        if not any(fit(value) for fit in fits):
            raise Mismatch(f"{_show(value)} is not of type {words}")

    return check


def _enum(allowed: list[Any], _: Schema) -> Check:
    def check(value: Any) -> None:
        if value not in allowed:
            raise Mismatch(f"{_show(value)} is not one of {allowed}")

    return check


def _limit(fails: Callable[[Any, Any], bool], applies: type | tuple[type, ...], text: str, *, sized: bool) -> Any:
    """A builder for one bound: `text` is the refusal with the value and the bound filled in."""

    def build(bound: Any, _: Schema) -> Check:
        def check(value: Any) -> None:
            if not isinstance(value, applies) or isinstance(value, bool):
                return
            measured: Any = value
            if sized:
                measured = len(measured)
            if fails(measured, bound):
                raise Mismatch(text.format(value=_show(value), bound=bound))

        return check

    return build


def _pattern(pattern: str, _: Schema) -> Check:
    search = re.compile(pattern, re.ASCII).search

    def check(value: Any) -> None:
        if isinstance(value, str) and not (search(value) and not value.endswith("\n")):
            raise Mismatch(f"{_show(value)} does not match {pattern!r}")

    return check


def _format(_name: str, _: Schema) -> Check:
    def check(value: Any) -> None:
        if isinstance(value, str):
            try:
                parse_time(value)
            except ApiError as error:
                raise Mismatch(error.message) from error

    return check


def _required(names: list[str], _: Schema) -> Check:
    def check(value: Any) -> None:
        if isinstance(value, dict):
            for name in names:
                if name not in value:
                    raise Mismatch(f"{name!r} is a required property")

    return check


def _properties(shapes: Mapping[str, Schema], _: Schema) -> Check:
    checks = {name: compile_schema(shape) for name, shape in shapes.items()}

    def check(value: Any) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                if name in checks:
                    _descend(checks[name], item, name)

    return check


def _additional(allowed: bool | Schema, schema: Schema) -> Check:
    known = set(schema.get("properties", ()))
    patterns = [re.compile(pattern, re.ASCII) for pattern in schema.get("patternProperties", ())]
    inner = None if isinstance(allowed, bool) else compile_schema(allowed)

    def check(value: Any) -> None:
        if not isinstance(value, dict):
            return
        extra = [name for name in value if name not in known and not any(p.search(name) for p in patterns)]
        if inner is not None:
            for name in extra:
                _descend(inner, value[name], name)
        elif extra and not allowed:
            words = ", ".join(_show(name) for name in extra[:10])
            verb = "was" if len(extra) == 1 else "were"
            raise Mismatch(f"Additional properties are not allowed ({words} {verb} unexpected)")

    return check


def _pattern_properties(shapes: Mapping[str, Schema], _: Schema) -> Check:
    checks = [(re.compile(pattern, re.ASCII), compile_schema(shape)) for pattern, shape in shapes.items()]

    def check(value: Any) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                for pattern, inner in checks:
                    if pattern.search(name):
                        _descend(inner, item, name)

    return check


def _items(shape: Schema, _: Schema) -> Check:
    inner = compile_schema(shape)

    def check(value: Any) -> None:
        if isinstance(value, list):
            for index, item in enumerate(value):
                _descend(inner, item, str(index))

    return check


def _unique(wanted: bool, _: Schema) -> Check:
    def check(value: Any) -> None:
        if wanted and isinstance(value, list) and len({_identity(item) for item in value}) != len(value):
            raise Mismatch(f"{_show(value)} has non-unique elements")

    return check


def _identity(item: Any) -> tuple[str, Any]:
    """What makes two JSON values the same: 1 and 1.0 are, 1 and true are not."""
    if isinstance(item, bool):
        return "boolean", item
    if isinstance(item, int | float):
        return "number", item
    return "other", repr(item)


def _any_of(shapes: list[Schema], _: Schema) -> Check:
    checks = [compile_schema(shape) for shape in shapes]

    def check(value: Any) -> None:
        for inner in checks:
            try:
                return inner(value)
            except Mismatch:
                continue
        raise Mismatch(f"{_show(value)} is not valid under any of the given schemas")

    return check


KEYWORDS: Mapping[str, Callable[[Any, Schema], Check]] = {
    "type": _type,
    "enum": _enum,
    "minLength": _limit(lambda n, bound: n < bound, str, "{value} is too short", sized=True),
    "maxLength": _limit(lambda n, bound: n > bound, str, "{value} is too long", sized=True),
    "pattern": _pattern,
    "format": _format,
    "minimum": _limit(
        lambda n, bound: n < bound, (int, float), "{value} is less than the minimum of {bound}", sized=False
    ),
    "maximum": _limit(
        lambda n, bound: n > bound, (int, float), "{value} is greater than the maximum of {bound}", sized=False
    ),
    "minItems": _limit(lambda n, bound: n < bound, list, "{value} is too short", sized=True),
    "maxItems": _limit(lambda n, bound: n > bound, list, "{value} is too long", sized=True),
    "minProperties": _limit(lambda n, bound: n < bound, dict, "{value} does not have enough properties", sized=True),
    "uniqueItems": _unique,
    "required": _required,
    "additionalProperties": _additional,
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "items": _items,
    "anyOf": _any_of,
}


def _descend(inner: Check, value: Any, name: str) -> None:
    try:
        inner(value)
    except Mismatch as mismatch:
        mismatch.path.append(name)
        raise


def compile_schema(schema: Schema) -> Check:
    """A function that raises Mismatch at the first thing that does not fit; ValueError for a keyword not known here."""
    checks = [build(schema[keyword], schema) for keyword, build in KEYWORDS.items() if keyword in schema]
    unknown = set(schema) - set(KEYWORDS) - {"description"}
    if unknown:
        raise ValueError(f"keywords not supported: {sorted(unknown)}")
    if len(checks) == 1:
        return checks[0]

    def check(value: Any) -> None:
        for each in checks:
            each(value)

    return check


class Shape:
    """A compiled request shape; `schema` stays readable for documentation."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._check = compile_schema(schema)

    def validate(self, value: Any) -> None:
        """Raises ApiError 400 with the first mismatch and where it is."""
        try:
            self._check(value)
        except Mismatch as mismatch:
            where = "/".join(reversed(mismatch.path))
            raise bad_request(f"{mismatch.message} at '{where}'" if where else mismatch.message) from mismatch
        except RecursionError as error:
            raise bad_request("request body is nested too deeply") from error
