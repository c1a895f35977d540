"""Triggers as the management routes speak of them. Unknown keys are survived; a filter is kept as it was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bridge.domain.instant import parse_instant
from bridge.domain.model import Label, SequenceId

_FROZEN = ConfigDict(frozen=True, extra="ignore")


def _instant(value: object) -> datetime | None:
    return parse_instant(value) if isinstance(value, str) else None


def _levels(value: object) -> object:
    return value.split(" > ") if isinstance(value, str) else value


def _or_empty(value: object) -> object:
    return "" if value is None else value


Instant = Annotated[datetime | None, BeforeValidator(_instant)]
Text = Annotated[str, BeforeValidator(_or_empty)]


class LabelThreshold(BaseModel):
    """One label that may come back, and from which probability on."""

    model_config = _FROZEN
    name: Annotated[Label, BeforeValidator(_levels)]
    threshold: float | None = None


class PinnedModel(BaseModel):
    """The model a trigger predicts with. Versions were once written as text (trap 3); we write numbers."""

    model_config = _FROZEN
    version: Annotated[int, Field(ge=0)]
    label_thresholds: tuple[LabelThreshold, ...] | None = None


class Trigger(BaseModel):
    """A trigger as the platform has it. Without a model its results carry no labels (trap 18)."""

    model_config = _FROZEN
    name: str
    id: Text = ""
    dataset_id: Text = ""
    title: Text = ""
    description: Text = ""
    created_at: Instant = None
    updated_at: Instant = None
    model: PinnedModel | None = None
    comment_filter: dict[str, Any] | None = None


class TriggerSpec(BaseModel):
    """What to create, or what to change: only what was set is sent. Unknown keys are refused, as the platform does."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str | None = None
    title: str | None = None
    description: str | None = None
    model: PinnedModel | None = None
    comment_filter: dict[str, Any] | None = None

    def as_sent(self) -> dict[str, Any]:
        """As JSON."""
        return self.model_dump(mode="json", exclude_unset=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerException:
    """A comment that an automation could not handle. Tagging it does not move the position."""

    uid: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamResult:
    """One result of the `results` route, byte for byte; its `continuation` is a position for `advance`."""

    raw: bytes
    uid: str
    continuation: SequenceId


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPage:
    """An answer of the `results` route; `continuation` can lie past the last result, as a batch's position can."""

    raw: bytes
    results: Sequence[StreamResult]
    continuation: SequenceId
    num_filtered: int
    more_results: bool | None
