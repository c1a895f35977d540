"""What pydantic found, as sentences with the path they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.app.config.conditions import no_condition
from bridge.app.config.findings import Findings
from bridge.app.config.mistakes import Path
from bridge.app.config.shape import MARK
from bridge.app.config.yaml_tree import Node, Scalar, at

_Context = Mapping[str, Any]

_SENTENCES: dict[str, Callable[[_Context], str]] = {
    "extra_forbidden": lambda _: "unknown key",
    "string_type": lambda _: "must be text; put it in quotes if it is meant as text",
    "int_type": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "int_parsing": lambda _: "must be a whole number",
    "float_parsing": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "bool_type": lambda _: "must be true or false",
    "list_type": lambda _: "must be a list",
    "model_type": lambda _: "must be a mapping of keys and values",
    "model_attributes_type": lambda _: "must be a mapping of keys and values",
    "dict_type": lambda _: "must be a mapping of keys and values",
    "string_too_short": lambda _: "must not be empty",
    "too_short": lambda _: "must not be empty: write at least one",
    "greater_than_equal": lambda about: f"must be {about['ge']:g} or more",
    "greater_than": lambda about: f"must be more than {about['gt']:g}",
    "less_than_equal": lambda about: f"must be {about['le']:g} or less",
    "literal_error": lambda about: f"must be {about['expected']}".replace("True", "true"),
    "string_pattern_mismatch": lambda about: (
        f"has characters that are not taken here, or is too long: {about['pattern']}"
    ),
}

_MISSING = {
    "when": "this route has no `when`; for every result write `when: {always: true}`",
    "routes": "this trigger has no `routes`: write at least one with name, topic and when",
    "triggers": "there are no `triggers`: write at least one",
}


def report(error: ValidationError, around: Path, findings: Findings) -> None:
    """Put everything an error holds under `around` in the file."""
    for detail in error.errors(include_url=False):
        path = _path((*around, *detail["loc"]))
        context = detail.get("ctx", {})
        if detail["type"] == "missing":
            findings.error(path[:-1], "missing_key", _missing(findings.root, path))
        else:
            key = context.get("key")
            findings.error((*path, key) if key else path, detail["type"], _sentence(detail, context))


def _path(location: Path) -> Path:
    """Without the marks of unions, which are no keys of the file."""
    return tuple(step for step in location if isinstance(step, int) or not step.startswith(MARK))


def _sentence(detail: ErrorDetails, context: _Context) -> str:
    if detail["type"] == "union_tag_not_found":
        return no_condition(detail["input"])
    if detail["type"] == "value_error":
        return str(context["error"])
    said = _SENTENCES.get(detail["type"])
    return said(context) if said else detail["msg"]


def _missing(root: Node, path: Path) -> str:
    key = str(path[-1])
    shadow = at(root, (*path[:-1], "shadow"))
    if key == "when" and isinstance(shadow, Scalar) and shadow.text.lower() == "true":
        return "this shadow route has no `when`: without one there is nothing to count; say what it would take"
    return _MISSING.get(key, f"`{key}` is missing here")
