"""The published JSON Schema of the configuration file."""

from __future__ import annotations

from typing import Any

from bridge.app.config.file import BridgeFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VARIABLE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"}
_NARROW = {"integer", "number", "boolean"}


def config_schema() -> dict[str, Any]:
    """For editors and build checks. A `${VAR}` is allowed beside numbers and fixed words."""
    return {"$schema": DIALECT, **_with_variables(BridgeFile.model_json_schema(by_alias=True))}


def _with_variables(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_variables(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: each if key in ("default", "examples") else _with_variables(each) for key, each in schema.items()}
    if not _refuses_variables(inner):
        return inner
    about = {key: inner.pop(key) for key in ("title", "description", "default") if key in inner}
    return {**about, "anyOf": [inner, VARIABLE]}


def _refuses_variables(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return (isinstance(kind, str) and kind in _NARROW) or (
        kind == "string" and not schema.keys().isdisjoint({"pattern", "enum", "const"})
    )
