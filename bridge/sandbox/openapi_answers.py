"""What no request shape says: the answers' top levels, the queries, and which shape reads a body of another name."""

from typing import Any, Final

from bridge.sandbox.shapes import DELETE_IDS_MAX, EXCEPTIONS_MAX, FETCH_MAX

TEXT: Final = {"type": "string"}
COUNT: Final = {"type": "integer", "minimum": 0}
THING: Final = {"type": "object"}
THINGS: Final = {"type": "array", "items": {"type": "object"}}
ID: Final = {"type": "string", "pattern": "^[0-9a-f]{16}$"}

SOURCE: Final = {
    "type": "object",
    "required": ["id", "owner", "name", "title", "description", "language", "should_translate", "created_at"],
    "properties": {"id": ID, "should_translate": {"type": "boolean"}, "created_at": TEXT, "updated_at": TEXT},
}
DATASET: Final = {
    "type": "object",
    "required": ["id", "owner", "name", "title", "description", "created", "last_modified", "source_ids"],
    "properties": {"id": ID, "has_sentiment": {"type": "boolean"}, "source_ids": {"type": "array", "items": ID}},
}
TRIGGER: Final = {
    "type": "object",
    "required": ["id", "dataset_id", "name", "title", "description", "created_at", "updated_at"],
    "properties": {"id": ID, "dataset_id": ID, "model": {"type": "object", "required": ["version"]}},
}
COMMENT: Final = {
    "type": "object",
    "required": ["id", "uid", "source_id", "timestamp", "created_at", "last_modified", "messages", "user_properties"],
    "properties": {"source_id": ID, "messages": THINGS, "user_properties": THING},
}
RESULT: Final = {
    "type": "object",
    "required": ["comment", "sequence_id"],
    "properties": {"comment": COMMENT, "sequence_id": TEXT, "labels": THINGS, "entities": THINGS},
}

ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "get_user": {"user": THING},
    "refresh_permissions": {"permissions_refreshed": {"type": "boolean"}},
    "get_source": {"source": SOURCE},
    "create_source": {"source": SOURCE},
    "update_source": {"source": SOURCE},
    "get_dataset": {"dataset": DATASET},
    "create_dataset": {"dataset": DATASET},
    "update_dataset": {"dataset": DATASET},
    "sync": {"new": COUNT, "updated": COUNT, "unchanged": COUNT},
    "get_comment": {"comment": COMMENT},
    "list_triggers": {"triggers": {"type": "array", "items": TRIGGER}},
    "get_trigger": {"trigger": TRIGGER},
    "create_trigger": {"trigger": TRIGGER},
    "update_trigger": {"trigger": TRIGGER},
    "reset": {"trigger": TRIGGER, "sequence_id": TEXT},
    "advance": {"sequence_id": TEXT},
    "fetch": {
        "results": {"type": "array", "maxItems": FETCH_MAX, "items": RESULT},
        "filtered": COUNT,
        "sequence_id": TEXT,
    },
    "results": {"results": THINGS, "num_filtered": COUNT, "more_results": {"type": "boolean"}, "continuation": TEXT},
    "label_comment": {"labelling": THING},
    "predict": {"model": THING, "predictions": {"type": "array", "items": THINGS}},
    "predict_comments": {"model": THING, "predictions": THINGS},
}
"""By operation; one that is not here answers an object whose only known key is `status`."""

_SOME = {"type": "integer", "minimum": 1, "maximum": FETCH_MAX}
QUERIES: Final[dict[str, dict[str, Any]]] = {
    "results": {"max_results": _SOME, "max_filtered": _SOME},
    "delete_comments": {"id": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": DELETE_IDS_MAX}},
    "untag_exceptions": {"uid": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": EXCEPTIONS_MAX}},
}
"""Parameters by operation; lists are repeated parameters."""

_BODIES: Final = {"tag_exceptions": "exceptions", "label_comment": "labelling"}


def has_body_of_its_own(operation: str) -> str:
    """The name of the shape, where it is not made of the operation's own words."""
    return _BODIES.get(operation, "")


def query_of(operation: str) -> list[dict[str, Any]]:
    """As OpenAPI parameters."""
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in QUERIES.get(operation, {}).items()
    ]


def answer_schema(operation: str, word: str) -> dict[str, Any]:
    """The success envelope; keys in the word of the route, `trigger` or `stream`."""
    known = {key.replace("trigger", word): schema for key, schema in ANSWERS.get(operation, {}).items()}
    return {
        "type": "object",
        "required": ["status", *known],
        "properties": {"status": {"const": "ok"}, **known},
    }
