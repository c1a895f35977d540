"""Annotations: today's bulk route and the vendor client's private ones (fact sheet section 5)."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.errors import not_found
from bridge.sandbox.filters import label_path
from bridge.sandbox.store.comments import key_of_uid
from bridge.sandbox.store.database import transaction
from bridge.sandbox.store.models import annotate
from bridge.sandbox.wire import ok

REVIEW = frozenset({Permission.REVIEW_LABELS, Permission.VIEW_SOURCES})


def _normal(label: dict[str, Any]) -> dict[str, Any]:
    """Names are kept as lists of levels, whichever way they came."""
    return {**label, "name": list(label_path(label["name"]))}


def _key(box: Sandbox, uid: str) -> int:
    key = key_of_uid(box.db, uid)
    if key is None:
        raise not_found(f"comment {uid}")
    return key


async def sync_annotations(call: Call) -> Response:
    """Each annotation replaces the one its comment had; all or nothing."""
    box = call.box
    annotations = call.json(box.shapes.sync_annotations)["annotations"]
    dataset = box.holder("datasets", call.path("owner"), call.path("dataset"))
    wanted = [(_key(box, each["comment_uid"]), [_normal(label) for label in each["labels"]]) for each in annotations]
    with transaction(box.db):
        for key, labels in wanted:
            annotate(box.db, dataset.key, key, labels)
    return ok()


async def label_one(call: Call) -> Response:
    """The private route; what was dismissed teaches nothing here that an annotation without it does not."""
    box = call.box
    given = call.json(box.shapes.labelling)["labelling"]
    labelling = given[0] if isinstance(given, list) else given
    dataset = box.holder("datasets", call.path("owner"), call.path("dataset"))
    assigned = [_normal(label) for label in labelling.get("assigned", [])]
    key = _key(box, call.path("uid"))
    with transaction(box.db):
        annotate(box.db, dataset.key, key, assigned)
    return ok(labelling={"assigned": assigned, "dismissed": labelling.get("dismissed", [])})


def routes(box: Sandbox) -> list[Route]:
    return [
        route(
            "POST",
            "/api/v1/datasets/{owner}/{dataset}/sync-annotations",
            Endpoint(box, "sync_annotations", REVIEW, sync_annotations),
        ),
        route(
            "POST",
            "/api/_private/datasets/{owner}/{dataset}/labellings/{uid}",
            Endpoint(box, "label_comment", REVIEW, label_one),
        ),
    ]
