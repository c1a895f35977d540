"""Sources, datasets, uploads and predictions as their routes speak of them. Unknown keys of answers are survived."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bridge.adapters.platform.answers import bad_answer
from bridge.adapters.platform.triggers import Instant, Text
from bridge.domain.errors import StopTrigger
from bridge.domain.model import Label

_READ = ConfigDict(frozen=True, extra="ignore")
_SENT = ConfigDict(frozen=True, extra="forbid")
Read = TypeVar("Read", bound=BaseModel)


def _levels(value: object) -> object:
    return value.split(" > ") if isinstance(value, str) else value


class Source(BaseModel):
    """Where comments are kept. `language` is missing in some answers."""

    model_config = _READ
    id: str
    owner: str
    name: str
    title: Text = ""
    description: Text = ""
    language: Text = ""
    should_translate: bool = False
    sensitive_properties: tuple[str, ...] = ()
    created_at: Instant = None
    updated_at: Instant = None


class SourceSpec(BaseModel):
    """What to create or to change: only what was set is sent; `language` only on creation."""

    model_config = _SENT
    title: str | None = None
    description: str | None = None
    language: str | None = None
    should_translate: bool | None = None
    sensitive_properties: tuple[str, ...] | None = None
    bucket_id: str | None = None


class Dataset(BaseModel):
    """Labels and models over some sources; its times have other names than a source's (trap 13)."""

    model_config = _READ
    id: str
    owner: str
    name: str
    title: Text = ""
    description: Text = ""
    source_ids: tuple[str, ...] = ()
    model_family: Text = ""
    has_sentiment: bool = False
    created: Instant = None
    last_modified: Instant = None


class DatasetSpec(BaseModel):
    """What to create or to change; the last three only on creation."""

    model_config = _SENT
    title: str | None = None
    description: str | None = None
    source_ids: tuple[str, ...] | None = None
    entity_kinds: tuple[str, ...] | None = None
    model_family: str | None = None
    has_sentiment: bool | None = None
    copy_labels_from: str | None = None


class SyncCounts(BaseModel):
    """What an upload did; they add up over uploads."""

    model_config = _READ
    new: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: SyncCounts) -> SyncCounts:
        return SyncCounts(
            new=self.new + other.new,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
        )


class PredictedLabel(BaseModel):
    """One label; `sentiment` only where the dataset has it."""

    model_config = _READ
    name: Annotated[Label, BeforeValidator(_levels)]
    probability: float
    sentiment: float | None = None
    auto_thresholds: tuple[str, ...] = ()


class Prediction(BaseModel):
    """What a model says of one document; `uid` where it is a stored comment. Entities as they came."""

    model_config = _READ
    uid: str | None = None
    labels: tuple[PredictedLabel, ...] = ()
    entities: tuple[dict[str, Any], ...] = ()


class WantedLabel(BaseModel):
    """A label that may be predicted, from its own threshold on or from the request's."""

    model_config = _SENT
    name: Label
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None


class Asked(BaseModel):
    """Which labels a prediction is to name; the platform's own default threshold where there is none."""

    model_config = _SENT
    threshold: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] | None = None
    labels: tuple[WantedLabel, ...] | None = None


def read_one(kind: type[Read], value: object) -> Read:
    """Raises Retry `bad_answer`; what is wrong is told by the places, not by the values (I10)."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, wrong["loc"])) or "the whole" for wrong in error.errors())
        raise bad_answer(f"a {kind.__name__.lower()} in the answer cannot be read: {places}") from error


def read_many(kind: type[Read], value: object) -> list[Read]:
    """As `read_one`, of a list."""
    if not isinstance(value, list):
        raise bad_answer(f"the answer has no list of {kind.__name__.lower()}s")
    return [read_one(kind, each) for each in value]


def address(ref: str) -> tuple[str, ...]:
    """The segments of `owner/name` or `id:<id>`. Raises StopTrigger `bad_name`."""
    segments = tuple(ref.split("/"))
    if ref.startswith("id:") and len(segments) == 1:
        return segments
    if len(segments) != 2 or not all(segments):
        raise StopTrigger(f"{ref!r} is neither owner/name nor id:<id>", code="bad_name")
    return segments
