"""What every part of the file has in common: closed mappings, and the types of their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core.core_schema import ValidationInfo

from bridge.app.config import values
from bridge.app.config.document import FromEnvironment, Section
from bridge.app.config.findings import Findings
from bridge.app.config.yaml_tree import plain_value
from bridge.domain.model import Label
from bridge.domain.plan import KeyFrom

MARK = "as:"
"""In front of what pydantic puts into a place to name the member of a union; no key of the file begins so."""


class Closed(BaseModel):
    """A mapping that takes only its own keys. An unknown one is reported, and hides no other mistake."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _report_unknown_keys(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Section) or not isinstance(info.context, Findings):
            return value
        known = [each.alias or name for name, each in cls.model_fields.items()]
        for key in [key for key in value if key not in known and not cls.leaves_alone(key)]:
            near = values.did_you_mean(key, known)
            sentence = f"unknown key `{key}`{near}" + ("" if near else f": known here are {', '.join(known)}")
            info.context.error((*value.path, key), "unknown_key", sentence, at_key=True)
        return {key: each for key, each in value.items() if key in known}

    @classmethod
    def leaves_alone(cls, key: str) -> bool:
        """Whether an unknown key is meant for somebody else."""
        return False


def _number(value: object) -> object:
    return plain_value(value) if isinstance(value, FromEnvironment) else value


FROM_TEXT = BeforeValidator(_number)
"""Stands after the limits of a number, so that these are seen by the schema too."""

Number = Annotated[float, Field(allow_inf_nan=False), FROM_TEXT]
Switch = Annotated[bool, FROM_TEXT]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), FROM_TEXT]
Sentiment = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False), FROM_TEXT]
Text = Annotated[str, Field(min_length=1)]


def _read(reader: Callable[[object], object], schema: dict[str, Any]) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(reader), WithJsonSchema(schema)


DURATION_SCHEMA = {
    "type": "string",
    "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$",
    "examples": ["5s", "500ms", "1m30s", "24h"],
}


def _duration(low_s: float, high_s: float) -> Callable[[object], float]:
    def read(value: object) -> float:
        seconds = values.duration_s(value)
        if not low_s <= seconds <= high_s:
            raise ValueError(f"must be {low_s:g}s to {high_s:g}s")
        return seconds

    return read


PollInterval = Annotated[float, *_read(_duration(0.01, 86_400), DURATION_SCHEMA)]
Timeout = Annotated[float, *_read(_duration(0.01, 3_600), DURATION_SCHEMA)]
KeyTtl = Annotated[float, *_read(_duration(60, 366 * 86_400), DURATION_SCHEMA)]

Topic = Annotated[str, *_read(values.topic, {"type": "string", "pattern": r"^[a-zA-Z0-9._-]{1,249}$"})]
LabelPattern = Annotated[
    Label,
    *_read(
        values.label_pattern,
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 64}, "minItems": 1},
            ],
            "examples": ["Trade > Settlement", "Trade > *", "** > Urgent", ["Trade", "Settlement"]],
        },
    ),
]
RecordKey = Annotated[
    KeyFrom,
    *_read(
        values.key_from,
        {
            "type": "string",
            "pattern": r"^(comment\.uid|comment\.thread_id|none|user_properties\[.+\])$",
            "examples": ["comment.uid", "comment.thread_id", 'user_properties["string:Sender Domain"]', "none"],
        },
    ),
]
PropertyValues = Annotated[
    tuple[str | float, ...],
    *_read(values.property_values, {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1}),
]
BootstrapServers = Annotated[
    str,
    *_read(
        values.bootstrap_servers,
        {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
            "examples": ["kafka:9092", ["kafka-1:9092", "kafka-2:9092"]],
        },
    ),
]
BaseUrl = Annotated[str, *_read(values.base_url, {"type": "string", "format": "uri", "pattern": "^https?://"})]

RedisUrl = Annotated[
    str,
    *_read(
        values.redis_url,
        {"type": "string", "pattern": r"^rediss?(\+(sentinel|cluster))?://", "examples": ["redis://redis:6379/0"]},
    ),
]
Token = Annotated[str, *_read(values.token, {"type": "string", "minLength": 1})]

ProjectName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,1024}$")]
PlatformName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,256}$")]
RouteName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
DeploymentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
