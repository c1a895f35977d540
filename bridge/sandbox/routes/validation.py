"""How good a version is: figures per label on annotations held back in training (fact sheet sections 5 and 12.4)."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.errors import not_found
from bridge.sandbox.filters import label_path
from bridge.sandbox.store.holders import Holder
from bridge.sandbox.store.models import ModelRecord, find_model, list_models
from bridge.sandbox.wire import ok

SEE = frozenset({Permission.VIEW_LABELS, Permission.VIEW_SOURCES})
TAGS = ("latest", "live", "staging")
QUALITIES = (("excellent", 0.9), ("good", 0.75), ("average", 0.5), ("poor", 0.0))
"""Ours: cuts on the mean average precision, which is the score; the platform's own rating is a secret of its making."""


def _addressed(call: Call) -> tuple[Holder, ModelRecord]:
    """Unpinned versions have figures too. Raises ApiError 404."""
    box, version = call.box, call.path("version")
    dataset = box.holder("datasets", call.path("owner"), call.path("dataset"))
    if version in TAGS:
        record = next(reversed(list_models(box.db, dataset.key)), None)
    else:
        record = find_model(box.db, dataset.key, int(version)) if version.isascii() and version.isdigit() else None
    if record is None:
        raise not_found(f"model version {version}")
    return dataset, record


def _mean(labels: list[dict[str, Any]]) -> float:
    return sum(label["average_precision"] for label in labels) / len(labels) if labels else 0.0


async def validation(call: Call) -> Response:
    """`labels` holds the figures; the rest is what the vendor's client reads."""
    _, record = _addressed(call)
    labels = [_figures(label) for label in record.summary["labels"]]
    score = _mean(labels)
    rating = {"score": score, "quality": next(name for name, cut in QUALITIES if score >= cut)}
    return ok(
        validation={
            "version": record.version,
            "model_rating": rating,
            "reviewed_size": record.summary["examples"],
            "mean_average_precision": score,
            "labels": labels,
        },
        label_groups=[{"name": "default", "label_defs": [_label_def(label) for label in labels]}],
    )


def _figures(label: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in label.items() if name != "curve"}
    return {**shown, "name": " > ".join(label["name"])}


def _label_def(label: dict[str, Any]) -> dict[str, str]:
    return {"id": label["name"], "name": label["name"], "title": label["name"]}


async def label_validation(call: Call) -> Response:
    """Precision and recall of one label at each threshold where they change, on the held-back annotations."""
    wanted = label_path(call.json(call.box.shapes.label_validation)["label"])
    _, record = _addressed(call)
    found = next((label for label in record.summary["labels"] if tuple(label["name"]) == wanted), None)
    if found is None:
        raise not_found(f"label {' > '.join(wanted)}")
    curve = found.get("curve", {"thresholds": [], "precisions": [], "recalls": []})
    return ok(label_validation=curve)


def routes(box: Sandbox) -> list[Route]:
    one = "/datasets/{owner}/{dataset}/labellers/{version}"
    return [
        route("GET", f"/api/v1{one}/validation", Endpoint(box, "validation", SEE, validation)),
        route("GET", f"/api/_private{one}/validation", Endpoint(box, "validation", SEE, validation)),
        route("POST", f"/api/_private{one}/label-validation", Endpoint(box, "label_validation", SEE, label_validation)),
    ]
