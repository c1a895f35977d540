"""The request shapes of both profiles, with the limits of the fact sheet (sections 1.6, 1.7, 2, 4, 5, 6)."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from bridge.sandbox.schema import Schema, Shape
from bridge.sandbox.settings import Profile

OWNER_PATTERN: Final = r"^[A-Za-z0-9-_.]{1,1024}$"
NAME_PATTERN: Final = r"^[A-Za-z0-9-_]{1,256}$"
ID_PATTERN: Final = r"^[0-9a-f]{16}$"
COMMENT_ID_2020: Final = r"^[0-9a-f]{1,512}$"
COMMENT_ID_TODAY: Final = r"^[\w\x21-\x2e\x3a-\x40\x5b-\x60\x7b-\x7e]{1,1024}$"

FETCH_MAX: Final = 1024
DELETE_IDS_MAX: Final = 128
EXCEPTIONS_MAX: Final = 4096
"""Ours: the documents name no limit for exceptions."""
ANNOTATIONS_MAX: Final = 16384
"""Ours: the limit of today's comment sync, since no source states one for annotations."""

TEXT: Schema = {"type": "string", "maxLength": 65536}
TITLE: Schema = {"type": "string", "maxLength": 128}
DESCRIPTION: Schema = {"type": "string", "maxLength": 16384}
TIME: Schema = {"type": "string", "format": "date-time"}
ADDRESS: Schema = {"type": "string", "minLength": 1, "maxLength": 512}
ADDRESSES: Schema = {"type": "array", "maxItems": 2048, "items": ADDRESS}
LABEL_NAME: Schema = {
    "type": "array",
    "minItems": 1,
    "maxItems": 64,
    "items": {"type": "string", "minLength": 1, "maxLength": 64},
}
SOURCE_IDS: Schema = {
    "type": "array",
    "maxItems": 1024,
    "uniqueItems": True,
    "items": {"type": "string", "pattern": ID_PATTERN},
}


def closed(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """An object that refuses unknown keys, as every request object of the platform does."""
    return {"type": "object", "required": list(required), "additionalProperties": False, "properties": properties}


def listed(items: Schema, minimum: int, maximum: int, *, unique: bool = False) -> dict[str, Any]:
    return {"type": "array", "minItems": minimum, "maxItems": maximum, "uniqueItems": unique, "items": items}


CONTENT = closed({"text": TEXT, "translated_from": TEXT}, "text")
MESSAGE = closed(
    {
        "body": CONTENT,
        "subject": CONTENT,
        "signature": CONTENT,
        "from": ADDRESS,
        "to": ADDRESSES,
        "cc": ADDRESSES,
        "bcc": ADDRESSES,
        "sent_at": TIME,
        "language": {"type": "string", "minLength": 1, "maxLength": 8},
    },
    "body",
)
USER_PROPERTIES: Schema = {
    "type": "object",
    "additionalProperties": False,
    "patternProperties": {"^string:.": {"type": "string"}, "^number:.": {"type": "number"}},
}
ATTACHMENT = closed(
    {
        "name": {"type": "string", "maxLength": 256},
        "content_type": {"type": "string", "maxLength": 256},
        "size": {"type": "integer", "minimum": 0},
        "content_hash": {"type": "string", "maxLength": 256},
        "inline": {"type": "boolean"},
        "attachment_reference": {"type": "string", "maxLength": 1024},
    },
    "name",
    "content_type",
    "size",
)

FILTER_STRING: Schema = {"type": "string", "minLength": 1, "maxLength": 65536}


def filter_list(items: Schema) -> Schema:
    return listed(items, 1, 128, unique=True)


def operators(*names: str, items: Schema = FILTER_STRING) -> dict[str, Any]:
    """An object of set operators, of which at least one is given."""
    return {**closed({name: filter_list(items) for name in names}), "minProperties": 1}


NUMBER_FILTER: Schema = {
    **closed({"one_of": filter_list({"type": "number"}), "minimum": {"type": "number"}, "maximum": {"type": "number"}}),
    "minProperties": 1,
}
SENDERS = ("one_of", "not_one_of", "domain_one_of", "domain_not_one_of")
NAME_OR_PATH: Schema = {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 4200}, LABEL_NAME]}
EXCEPTION_TYPES: Schema = {
    **closed(
        {
            "one_of": filter_list({"type": ["string", "null"]}),
            "not_one_of": filter_list({"type": ["string", "null"]}),
            "include_missing": {"type": "boolean"},
        }
    ),
    "minProperties": 1,
}


def comment_filter(profile: Profile) -> Schema:
    """What may stand in `comment_filter`: user properties in 2020, the dimensions of section 2.2 today."""
    string_operators = ("one_of",) if profile is Profile.Y2020 else ("one_of", "not_one_of", "domain_not_one_of")
    user_properties: Schema = {
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {"^string:.": operators(*string_operators), "^number:.": NUMBER_FILTER},
    }
    if profile is Profile.Y2020:
        return closed({"user_properties": user_properties})
    return closed(
        {
            "user_properties": user_properties,
            "timestamp": {**closed({"minimum": TIME, "maximum": TIME}), "minProperties": 1},
            "reviewed": {"type": "string", "enum": ["only_reviewed", "only_unreviewed"]},
            "sources": filter_list({"type": "string", "pattern": ID_PATTERN}),
            "messages": closed(
                {
                    "from": operators(*SENDERS),
                    "recipient": operators(*SENDERS),
                    "to": operators("one_of", "not_one_of"),
                    "cc": operators("one_of", "not_one_of"),
                    "bcc": operators("one_of", "not_one_of"),
                }
            ),
            "annotations": closed({"labels": operators("one_of", "not_one_of", items=NAME_OR_PATH)}),
            "trigger_exceptions": {
                "type": "object",
                "additionalProperties": False,
                "patternProperties": {NAME_PATTERN: EXCEPTION_TYPES},
            },
        }
    )


def source_filter(profile: Profile) -> Schema:
    """The dimensions that ask for the comment alone: a source knows nothing of labels and exceptions."""
    known = comment_filter(profile)["properties"]
    return closed(
        {name: known[name] for name in ("user_properties", "timestamp", "sources", "messages") if name in known}
    )


def trigger_fields(profile: Profile) -> dict[str, Any]:
    threshold = closed(
        {"name": LABEL_NAME, "threshold": {"type": "number", "minimum": 0, "maximum": 1}}, "name", "threshold"
    )
    model = closed(
        {"version": {"type": "integer", "minimum": 0}, "label_thresholds": listed(threshold, 1, 4096)}, "version"
    )
    return {
        "name": {"type": "string", "pattern": NAME_PATTERN},
        "title": TITLE,
        "description": DESCRIPTION,
        "model": model,
        "comment_filter": comment_filter(profile),
    }


def comment(profile: Profile) -> Schema:
    fields: dict[str, Any] = {
        "id": {"type": "string", "pattern": COMMENT_ID_2020 if profile is Profile.Y2020 else COMMENT_ID_TODAY},
        "timestamp": TIME,
        "messages": listed(MESSAGE, 0, 2048),
        "user_properties": USER_PROPERTIES,
        "thread_id": {"type": "string", "minLength": 1, "maxLength": 1024},
    }
    if profile is Profile.TODAY:
        fields["attachments"] = listed(ATTACHMENT, 0, 128)
        fields["text_format"] = {"type": "string", "enum": ["plain", "markdown"]}
    return closed(fields, "id", "timestamp", "messages")


def source_fields(profile: Profile) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "title": TITLE,
        "description": DESCRIPTION,
        "should_translate": {"type": "boolean"},
        "sensitive_properties": listed({"type": "string"}, 0, 4096),
    }
    if profile is Profile.TODAY:
        fields["bucket_id"] = {"type": ["string", "null"], "pattern": ID_PATTERN}
        fields["_kind"] = {"type": "string", "enum": ["call", "chat", "unknown", "ixp_design", "ixp_runtime"]}
    return fields


def dataset_fields(profile: Profile) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "title": TITLE,
        "description": DESCRIPTION,
        "source_ids": SOURCE_IDS,
        "entity_kinds": listed({"type": "string", "minLength": 1, "maxLength": 64}, 0, 128, unique=True),
    }
    return fields


PREDICT_MAX: Final = 4096
"""Documents or uids in one call of a predict route."""


def prediction_fields(profile: Profile) -> dict[str, Any]:
    """What every predict route may be asked: a default threshold and labels with their own."""
    number: Schema = {"type": "number", "minimum": 0, "maximum": 1}
    label = closed({"name": LABEL_NAME, "threshold": number}, "name")
    either = number if profile is Profile.Y2020 else {"anyOf": [number, {"type": "string", "enum": ["auto"]}]}
    return {"threshold": either, "labels": listed(label, 1, 4096)}


def predict_document(profile: Profile) -> Schema:
    """The 2020 table asks for a timestamp, its own example and today's documents do without."""
    fields = dict(comment(profile)["properties"])
    del fields["id"]
    return closed(fields, "messages")


HTML_MAX: Final = 33_554_432
RAW_EMAIL_BODY: Schema = {
    **closed({"plain": TEXT, "html": {"type": "string", "maxLength": HTML_MAX}}),
    "minProperties": 1,
}
PARSED_HEADERS: Schema = {
    "type": "object",
    "additionalProperties": {"anyOf": [TEXT, {"type": "array", "maxItems": 2048, "items": TEXT}]},
}
RAW_EMAIL = closed(
    {
        "headers": {"anyOf": [closed({"raw": TEXT}, "raw"), closed({"parsed": PARSED_HEADERS}, "parsed")]},
        "body": RAW_EMAIL_BODY,
    },
    "headers",
    "body",
)


def raw_email_fields(profile: Profile, **of_document: Schema) -> tuple[dict[str, Any], list[str]]:
    """Fields and required keys of both raw email routes; the tag is required in 2020 only."""
    document = closed({"raw_email": RAW_EMAIL, "user_properties": USER_PROPERTIES, **of_document}, "raw_email")
    fields = {
        "documents": listed(document, 0, PREDICT_MAX),
        "transform_tag": {"type": "string", "maxLength": 256},
        "include_comments": {"type": "boolean"},
    }
    return fields, ["documents"] + (["transform_tag"] if profile is Profile.Y2020 else [])


LANGUAGES = {Profile.Y2020: ["en", "de"], Profile.TODAY: ["en", "de", "xlm"]}
MODEL_FAMILIES = {
    Profile.Y2020: ["english", "german", "random"],
    Profile.TODAY: ["english", "german", "random", "transformer-english", "transformer-xlm"],
}
LABEL_ANNOTATION = closed(
    {"name": NAME_OR_PATH, "sentiment": {"type": "string", "enum": ["positive", "negative"]}}, "name"
)
ASSIGNED = listed(LABEL_ANNOTATION, 0, 4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Every compiled request shape of one profile."""

    source_create: Shape
    source_update: Shape
    dataset_create: Shape
    dataset_update: Shape
    sync: Shape
    trigger_create: dict[str, Shape]
    trigger_update: dict[str, Shape]
    fetch: Shape
    advance: Shape
    reset: Shape
    exceptions: Shape
    sync_annotations: Shape
    labelling: Shape
    predict: Shape
    predict_comments: Shape
    predict_raw_emails: Shape
    sync_raw_emails: Shape
    comment: Shape
    put_comments: Shape
    statistics: Shape
    label_validation: Shape
    refresh_permissions: Shape


@cache
def make_shapes(profile: Profile, sync_max: int) -> Shapes:
    """Compiles the shapes, once for each profile; `sync_max` is the comment limit of one sync."""
    fields = trigger_fields(profile)
    source_new = {**source_fields(profile), "language": {"type": "string", "enum": LANGUAGES[profile]}}
    dataset_new = {
        **dataset_fields(profile),
        "model_family": {"type": "string", "enum": MODEL_FAMILIES[profile]},
        "has_sentiment": {"type": "boolean"},
        "copy_labels_from": {"type": "string", "pattern": ID_PATTERN},
        "copy_annotations_from": {"type": "string", "pattern": ID_PATTERN},
    }
    size = {"type": "integer", "minimum": 1, "maximum": FETCH_MAX}
    exception = closed(
        {"uid": {"type": "string"}, "metadata": closed({"type": {"type": "string"}}, "type")}, "uid", "metadata"
    )
    annotation = closed({"comment_uid": {"type": "string"}, "labels": ASSIGNED}, "comment_uid", "labels")
    one_labelling = {"assigned": ASSIGNED, "dismissed": ASSIGNED}
    grouped = closed({"group": {"type": "string", "enum": ["default"]}, **one_labelling}, "group")
    labelling: Schema = {"anyOf": [closed(one_labelling), listed(grouped, 1, 1)]}
    keys = ("trigger", "stream")
    asked = prediction_fields(profile)
    own_id = {} if profile is Profile.Y2020 else {"comment_id": {"type": "string", "pattern": COMMENT_ID_TODAY}}
    kept_mail, tagged = raw_email_fields(profile, **own_id)
    kept_mail["override_user_properties"] = listed({"type": "string"}, 0, 4096)
    seen_mail, _ = raw_email_fields(profile)
    return Shapes(
        source_create=Shape(closed({"source": closed(source_new)}, "source")),
        source_update=Shape(closed({"source": closed(source_fields(profile))}, "source")),
        dataset_create=Shape(closed({"dataset": closed(dataset_new)}, "dataset")),
        dataset_update=Shape(closed({"dataset": closed(dataset_fields(profile))}, "dataset")),
        sync=Shape(closed({"comments": listed(comment(profile), 0, sync_max)}, "comments")),
        trigger_create={key: Shape(closed({key: closed(fields, "name")}, key)) for key in keys},
        trigger_update={key: Shape(closed({key: closed(fields)}, key)) for key in keys},
        fetch=Shape(closed({"size": size, "max_filtered": size}, "size")),
        advance=Shape(closed({"sequence_id": {"type": "string"}}, "sequence_id")),
        reset=Shape(closed({"to_comment_created_at": TIME}, "to_comment_created_at")),
        exceptions=Shape(closed({"exceptions": listed(exception, 1, EXCEPTIONS_MAX)}, "exceptions")),
        sync_annotations=Shape(closed({"annotations": listed(annotation, 0, ANNOTATIONS_MAX)}, "annotations")),
        labelling=Shape(closed({"labelling": labelling}, "labelling")),
        predict=Shape(closed({"documents": listed(predict_document(profile), 0, PREDICT_MAX), **asked}, "documents")),
        predict_raw_emails=Shape(closed({**seen_mail, **asked}, *tagged)),
        sync_raw_emails=Shape(closed(kept_mail, *tagged)),
        comment=Shape(comment(profile)),
        put_comments=Shape(closed({"comments": listed(comment(profile), 0, sync_max)}, "comments")),
        statistics=Shape(closed({"comment_filter": source_filter(profile)})),
        label_validation=Shape(closed({"label": NAME_OR_PATH}, "label")),
        refresh_permissions=Shape(closed({})),
        predict_comments=Shape(closed({"uids": listed({"type": "string"}, 0, PREDICT_MAX), **asked}, "uids")),
    )
