"""The JSON Schema of a record's value (design section 6): a result on a route, or a dead letter."""

from __future__ import annotations

from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT: dict[str, Any] = {"type": "string"}
_LABEL = {"type": "array", "items": _TEXT, "minItems": 1}


def record_schema() -> dict[str, Any]:
    """Own keys are closed by name; what the platform sent is as open as the platform is."""
    return {
        "$schema": DIALECT,
        "title": "A record of bridge",
        "description": "Value of a Kafka record; its headers follow the CloudEvents 1.0 Kafka binding, binary mode.",
        "oneOf": [{"$ref": "#/$defs/result"}, {"$ref": "#/$defs/dead_letter"}],
        "$defs": {"trigger": _trigger(), "route": _route(), "result": _result(), "dead_letter": _dead_letter()},
    }


def _own() -> dict[str, Any]:
    return {
        "trigger": {"$ref": "#/$defs/trigger"},
        "generation": {"type": "integer", "minimum": 0, "description": "Raised by one by each reset"},
        "route": {"$ref": "#/$defs/route"},
        "sequence_id": {**_TEXT, "description": "The platform's position after this result; opaque"},
    }


def _trigger() -> dict[str, Any]:
    names = ("name", "project", "dataset", "trigger")
    return {
        "type": "object",
        "properties": dict.fromkeys(names, _TEXT),
        "required": list(names),
        "additionalProperties": False,
    }


def _route() -> dict[str, Any]:
    matched = {
        "type": "object",
        "properties": {"label": _LABEL, "probability": {"type": ["number", "null"]}, "min": {"type": "number"}},
        "required": ["label", "probability", "min"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "name": {**_TEXT, "description": "`unmatched` and `dead_letter` are the bridge's own"},
            "topic": _TEXT,
            "matched": {"type": "array", "items": matched, "description": "The predictions the route rests on"},
        },
        "required": ["name", "topic", "matched"],
        "additionalProperties": False,
    }


def _result() -> dict[str, Any]:
    comment = {
        "type": "object",
        "properties": {"uid": _TEXT, "created_at": _TEXT, "user_properties": {"type": ["object", "null"]}},
        "required": ["uid"],
        "description": "As the platform sent it",
    }
    return {
        "type": "object",
        "description": "A result as the platform sent it, byte for byte, with the bridge's own keys in front",
        "properties": {
            **_own(),
            "comment": comment,
            "labels": {"type": ["array", "null"], "items": {"type": "object"}},
            "entities": {"type": ["array", "null"], "items": {"type": "object"}},
            "error": False,
        },
        "required": ["trigger", "generation", "route", "sequence_id", "comment"],
    }


def _dead_letter() -> dict[str, Any]:
    error = {
        "type": "object",
        "properties": {"code": {**_TEXT, "description": "A stable word; also the header bridge_error"}},
        "required": ["code"],
    }
    comment = {
        "type": "object",
        "properties": {name: {"type": ["string", "null"]} for name in ("uid", "created_at", "thread_id")},
    }
    return {
        "type": "object",
        "description": "What is left of a result that could not take its road",
        "properties": {**_own(), "comment": comment, "error": error, "result": {"description": "Where it fits"}},
        "required": ["trigger", "generation", "route", "sequence_id", "comment", "error"],
    }
