"""The predict routes: what a model version says of texts and of stored comments (fact sheet section 7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.comments import normal_messages
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.errors import not_found
from bridge.sandbox.learning.model import LabelPath
from bridge.sandbox.predictor import GRADES
from bridge.sandbox.results import shown_entities
from bridge.sandbox.store.comments import key_of_uid, rows_by_key
from bridge.sandbox.store.holders import Holder
from bridge.sandbox.store.models import ModelRecord
from bridge.sandbox.times import normal_time, print_ms
from bridge.sandbox.wire import decode_mail, encode, ok

SEE = frozenset({Permission.VIEW_LABELS, Permission.VIEW_SOURCES})
THRESHOLD_DEFAULT = 0.25
"""What later documents name; those of 2020 name none."""
AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which labels are wanted: `own` has a threshold for each label named, or is None for all from `floor` on."""

    own: dict[LabelPath, float] | None
    floor: float
    graded: bool

    @property
    def lowest(self) -> float:
        return self.floor if self.own is None else min(self.own.values())


def read_asked(body: dict[str, Any]) -> Asked:
    """A label's own threshold wins over the default; `auto` lets through what reaches any automatic cut."""
    given = body.get("threshold", THRESHOLD_DEFAULT)
    floor = GRADES[0][1] if given == AUTO else float(given)
    labels = body.get("labels")
    own = None if labels is None else {tuple(each["name"]): float(each.get("threshold", floor)) for each in labels}
    return Asked(own=own, floor=floor, graded=given == AUTO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was said of one document, as JSON."""

    labels: msgspec.Raw
    entities: msgspec.Raw


async def find(
    box: Sandbox, dataset: Holder, record: ModelRecord, asked: Asked, docs: Sequence[bytes]
) -> list[Finding]:
    """`docs` are JSON objects with `messages`."""
    loaded = box.predictor.loaded(record.key)
    found = await box.predictor.look(record.key, docs, asked.lowest)
    return [
        Finding(
            labels=msgspec.Raw(loaded.labels_json(packed, asked.own, asked.floor, graded=asked.graded)),
            entities=msgspec.Raw(shown_entities(box, dataset, entities)),
        )
        for packed, entities in found
    ]


def by_document(dataset: Holder, record: ModelRecord, findings: Sequence[Finding]) -> dict[str, Any]:
    """The answer's keys where documents have no names; entities only where the dataset has switched kinds on."""
    answer: dict[str, Any] = {"model": show_model(record), "predictions": [each.labels for each in findings]}
    if dataset.doc.get("entity_kinds"):
        answer["entities"] = [each.entities for each in findings]
    return answer


def show_model(record: ModelRecord) -> dict[str, Any]:
    """`version` is a number, as the documents' tables say and some of their examples do not (trap 3)."""
    pinned = record.pinned_ms
    return {"version": record.version, "time": print_ms(record.trained_ms if pinned is None else pinned)}


def addressed(call: Call) -> tuple[Holder, ModelRecord]:
    dataset = call.box.holder("datasets", call.path("owner"), call.path("dataset"))
    return dataset, call.box.labeller(dataset.key, call.path("version"))


async def predict(call: Call) -> Response:
    """Texts that are nowhere kept."""
    box = call.box
    body = call.json(box.shapes.predict, decode_mail)
    dataset, record = addressed(call)
    docs = [_document(upload) for upload in body["documents"]]
    return ok(**by_document(dataset, record, await find(box, dataset, record, read_asked(body), docs)))


def _document(upload: dict[str, Any]) -> bytes:
    """Raises ApiError 400 for what a shape cannot say."""
    if "timestamp" in upload:
        normal_time(upload["timestamp"])
    return encode({"messages": normal_messages(upload["messages"])})


async def predict_comments(call: Call) -> Response:
    """Stored comments by uid, of whatever source; one that is not there is a 404."""
    box = call.box
    body = call.json(box.shapes.predict_comments)
    dataset, record = addressed(call)
    keys = [_key(box, uid) for uid in body["uids"]]
    docs = [row.doc for row in rows_by_key(box.db, keys, -1, -1)]
    findings = await find(box, dataset, record, read_asked(body), docs)
    shown = [
        {"uid": uid, "labels": each.labels, "entities": each.entities}
        for uid, each in zip(body["uids"], findings, strict=True)
    ]
    return ok(model=show_model(record), predictions=shown)


def _key(box: Sandbox, uid: str) -> int:
    key = key_of_uid(box.db, uid)
    if key is None:
        raise not_found(f"comment {uid}")
    return key


def routes(box: Sandbox) -> list[Route]:
    base = "/api/v1/datasets/{owner}/{dataset}/labellers/{version}"
    return [
        route("POST", base + "/predict", Endpoint(box, "predict", SEE, predict)),
        route("POST", base + "/predict-comments", Endpoint(box, "predict_comments", SEE, predict_comments)),
    ]
