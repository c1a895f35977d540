"""Datasets (fact sheet section 5)."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.errors import ApiError
from bridge.sandbox.routes.sources import check_names
from bridge.sandbox.store.database import transaction
from bridge.sandbox.store.holders import (
    Holder,
    delete_dataset,
    find_by_name,
    insert_holder,
    list_holders,
    source_keys,
    update_holder,
)
from bridge.sandbox.store.models import copy_annotations, label_names
from bridge.sandbox.times import print_ms
from bridge.sandbox.wire import ok

VIEW = frozenset({Permission.VIEW_LABELS, Permission.VIEW_SOURCES})
ADMIN = frozenset({Permission.DATASETS_ADMIN, Permission.VIEW_SOURCES})
DEFAULTS = {"title": "", "description": "", "model_family": "english", "source_ids": [], "has_sentiment": True}
COPY_KEYS = ("copy_labels_from", "copy_annotations_from")


def present(box: Sandbox, dataset: Holder) -> dict[str, Any]:
    shown = {
        "id": dataset.id,
        "owner": dataset.owner,
        "name": dataset.name,
        **DEFAULTS,
        **dataset.doc,
        "created": print_ms(dataset.created_ms),
        "last_modified": print_ms(dataset.updated_ms),
        "limited_access": False,
    }
    if box.today:
        shown |= _today(box, dataset)
    return shown


def _today(box: Sandbox, dataset: Holder) -> dict[str, Any]:
    """The keys today's own client cannot do without."""
    kinds = dataset.doc.get("entity_kinds", [])
    return {
        "label_defs": [{"name": " > ".join(path)} for path in label_names(box.db, dataset.key)],
        "label_groups": [],
        "entity_defs": [
            {"id": kind, "name": kind, "title": kind, "inherits_from": [], "trainable": False} for kind in kinds
        ],
        "general_fields": [],
        "_dataset_flags": [],
    }


def _check_sources(box: Sandbox, fields: dict[str, Any]) -> None:
    wanted = fields.get("source_ids", [])
    missing = [identity for identity in wanted if identity not in source_keys(box.db, wanted)]
    if missing:
        raise ApiError(422, f"source id:{missing[0]} not found")


async def list_all(call: Call) -> Response:
    return ok(datasets=[present(call.box, dataset) for dataset in list_holders(call.box.db, "datasets")])


async def list_or_get_by_id(call: Call) -> Response:
    ref = call.path("owner")
    if ref.startswith("id:"):
        return ok(dataset=present(call.box, call.box.holder_by_id("datasets", ref[3:])))
    return ok(datasets=[present(call.box, dataset) for dataset in list_holders(call.box.db, "datasets", ref)])


async def get(call: Call) -> Response:
    return ok(dataset=present(call.box, call.box.holder("datasets", call.path("owner"), call.path("dataset"))))


async def create(call: Call) -> Response:
    owner, name, box = call.path("owner"), call.path("dataset"), call.box
    fields = call.json(box.shapes.dataset_create)["dataset"]
    check_names(owner, name)
    _check_sources(box, fields)
    copied = next((fields.pop(key) for key in COPY_KEYS if key in fields), None)
    origin = None if copied is None else box.holder_by_id("datasets", copied)
    if find_by_name(box.db, "datasets", owner, name):
        raise ApiError(409, f"dataset {owner}/{name} already exists")
    with transaction(box.db):
        dataset = insert_holder(box.db, "datasets", owner, name, fields, box.now_ms())
        if origin:
            copy_annotations(box.db, dataset.key, origin.key, box.sources_of(dataset))
    return ok(dataset=present(box, dataset))


async def update(call: Call) -> Response:
    box = call.box
    fields = call.json(box.shapes.dataset_update)["dataset"]
    dataset = box.holder("datasets", call.path("owner"), call.path("dataset"))
    _check_sources(box, fields)
    with transaction(box.db):
        changed = update_holder(box.db, "datasets", dataset, fields, box.now_ms())
    box.warm()
    return ok(dataset=present(box, changed))


async def delete(call: Call) -> Response:
    return _delete(call.box, call.box.holder("datasets", call.path("owner"), call.path("dataset")))


async def delete_by_id(call: Call) -> Response:
    ref = call.path("owner")
    if not ref.startswith("id:"):
        raise ApiError(405, "405 Method Not Allowed")
    return _delete(call.box, call.box.holder_by_id("datasets", ref[3:]))


def _delete(box: Sandbox, dataset: Holder) -> Response:
    with transaction(box.db):
        delete_dataset(box.db, dataset)
    return ok()


def routes(box: Sandbox) -> list[Route]:
    base = "/api/v1/datasets"
    return [
        route("GET", base, Endpoint(box, "list_datasets", VIEW, list_all)),
        route("GET", base + "/{owner}", Endpoint(box, "list_datasets", VIEW, list_or_get_by_id)),
        route("DELETE", base + "/{owner}", Endpoint(box, "delete_dataset", ADMIN, delete_by_id)),
        route("GET", base + "/{owner}/{dataset}", Endpoint(box, "get_dataset", VIEW, get)),
        route("PUT", base + "/{owner}/{dataset}", Endpoint(box, "create_dataset", ADMIN, create)),
        route("POST", base + "/{owner}/{dataset}", Endpoint(box, "update_dataset", ADMIN, update)),
        route("DELETE", base + "/{owner}/{dataset}", Endpoint(box, "delete_dataset", ADMIN, delete)),
    ]
