"""Sources (fact sheet section 4)."""

import re
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.errors import ApiError, bad_request
from bridge.sandbox.filters import Facts, compile_filter, view_of
from bridge.sandbox.positions import BEGINNING, Position
from bridge.sandbox.shapes import NAME_PATTERN, OWNER_PATTERN
from bridge.sandbox.store.comments import count_comments, walk
from bridge.sandbox.store.database import transaction
from bridge.sandbox.store.holders import Holder, delete_source, find_by_name, insert_holder, list_holders, update_holder
from bridge.sandbox.times import print_ms
from bridge.sandbox.wire import ok

VIEW = frozenset({Permission.VIEW_SOURCES})
ADMIN = frozenset({Permission.SOURCES_ADMIN})
DEFAULTS = {"title": "", "description": "", "language": "en", "should_translate": False, "sensitive_properties": []}
COUNT_CHUNK = 256
"""Comments read at a time while they are counted."""
DEFAULTS_TODAY = {"bucket_id": None, "_kind": "unknown"}


def check_names(owner: str, name: str) -> None:
    """Raises ApiError 400 where a new thing could not be addressed later."""
    for text, pattern in ((owner, OWNER_PATTERN), (name, NAME_PATTERN)):
        if not re.fullmatch(pattern, text, re.ASCII):
            raise bad_request(f"{text!r} does not match {pattern!r}")


def present(box: Sandbox, source: Holder) -> dict[str, Any]:
    changed = print_ms(source.updated_ms)
    shown = {
        "id": source.id,
        "owner": source.owner,
        "name": source.name,
        **DEFAULTS,
        **(DEFAULTS_TODAY if box.today else {}),
        **source.doc,
        "created_at": print_ms(source.created_ms),
        "updated_at": changed,
        "last_modified": changed,
    }
    if shown.get("bucket_id", "") is None:
        del shown["bucket_id"]
    return shown


async def list_all(call: Call) -> Response:
    return ok(sources=[present(call.box, source) for source in list_holders(call.box.db, "sources")])


async def list_or_get_by_id(call: Call) -> Response:
    """One segment is an owner, or `id:` and an id."""
    ref = call.path("owner")
    if ref.startswith("id:"):
        return ok(source=present(call.box, call.box.holder_by_id("sources", ref[3:])))
    return ok(sources=[present(call.box, source) for source in list_holders(call.box.db, "sources", ref)])


async def get(call: Call) -> Response:
    return ok(source=present(call.box, call.box.holder("sources", call.path("owner"), call.path("source"))))


async def statistics(call: Call) -> Response:
    """How many comments of the source pass the filter."""
    box = call.box
    comment_filter = call.json(box.shapes.statistics).get("comment_filter", {})
    source = box.holder("sources", call.path("owner"), call.path("source"))
    everything = count_comments(box.db, [source.key], Position(BEGINNING.ms, b""))
    if not comment_filter:
        return ok(statistics={"num_comments": everything})
    passes = compile_filter(comment_filter)
    rows = walk(box.db, [source.key], Position(BEGINNING.ms, b""), -1, -1, COUNT_CHUNK)
    return ok(statistics={"num_comments": sum(passes(Facts(comment=view_of(row.doc))) for row in rows)})


async def create(call: Call) -> Response:
    owner, name, box = call.path("owner"), call.path("source"), call.box
    fields = call.json(box.shapes.source_create)["source"]
    check_names(owner, name)
    if find_by_name(box.db, "sources", owner, name):
        raise ApiError(409, f"source {owner}/{name} already exists")
    with transaction(box.db):
        return ok(source=present(box, insert_holder(box.db, "sources", owner, name, fields, box.now_ms())))


async def update(call: Call) -> Response:
    box = call.box
    fields = call.json(box.shapes.source_update)["source"]
    source = box.holder("sources", call.path("owner"), call.path("source"))
    with transaction(box.db):
        return ok(source=present(box, update_holder(box.db, "sources", source, fields, box.now_ms())))


async def delete(call: Call) -> Response:
    ref, box = call.path("owner"), call.box
    if not ref.startswith("id:"):
        raise ApiError(405, "405 Method Not Allowed")
    source = box.holder_by_id("sources", ref[3:])
    with transaction(box.db):
        delete_source(box.db, source)
    return ok()


def routes(box: Sandbox) -> list[Route]:
    base = "/api/v1/sources"
    return [
        route("GET", base, Endpoint(box, "list_sources", VIEW, list_all)),
        route("GET", base + "/{owner}", Endpoint(box, "list_sources", VIEW, list_or_get_by_id)),
        route("DELETE", base + "/{owner}", Endpoint(box, "delete_source", ADMIN, delete)),
        route("GET", base + "/{owner}/{source}", Endpoint(box, "get_source", VIEW, get)),
        route("POST", base + "/{owner}/{source}/statistics", Endpoint(box, "statistics", VIEW, statistics)),
        route("PUT", base + "/{owner}/{source}", Endpoint(box, "create_source", ADMIN, create)),
        route("POST", base + "/{owner}/{source}", Endpoint(box, "update_source", ADMIN, update)),
    ]
