"""Comments: sync, get, delete (fact sheet section 6)."""

from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.comments import make_draft, uid_of
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.errors import bad_request, not_found
from bridge.sandbox.shapes import DELETE_IDS_MAX
from bridge.sandbox.shown import shown_comment
from bridge.sandbox.store.comments import delete_comments, keys_of, rows_by_key
from bridge.sandbox.store.database import transaction
from bridge.sandbox.uploads import upload
from bridge.sandbox.wire import decode_mail, ok

EDIT = frozenset({Permission.EDIT_VERBATIMS})
VIEW = frozenset({Permission.VIEW_SOURCES})


async def sync(call: Call) -> Response:
    """Creates or updates; comments of one call share their upload millisecond. If one is refused, none is stored."""
    box = call.box
    uploads = call.json(box.shapes.sync, decode_mail)["comments"]
    source = box.holder("sources", call.path("owner"), call.path("source"))
    drafts = [make_draft(each) for each in uploads]
    return ok(**upload(box, source, drafts))


async def get(call: Call) -> Response:
    box = call.box
    source = box.holder("sources", call.path("owner"), call.path("source"))
    comment_id = call.path("comment")
    keys = list(keys_of(box.db, source.key, [comment_id]).values())
    if not keys:
        raise not_found(f"comment {uid_of(source.id, comment_id)}")
    (row,) = rows_by_key(box.db, keys, -1, -1)
    return ok(comment=shown_comment(call, row))


async def delete(call: Call) -> Response:
    """`ids=a,b` and repeated `id=`; an id that is not there is a 404, and then none is deleted."""
    box = call.box
    query = call.request.query_params
    ids = [part for text in query.getlist("ids") for part in text.split(",") if part] + query.getlist("id")
    if not 1 <= len(ids) <= DELETE_IDS_MAX:
        raise bad_request(f"between 1 and {DELETE_IDS_MAX} comment ids are required, in 'ids' or 'id'")
    source = box.holder("sources", call.path("owner"), call.path("source"))
    keys = keys_of(box.db, source.key, ids)
    missing = [comment_id for comment_id in ids if comment_id not in keys]
    if missing:
        raise not_found(f"comment {uid_of(source.id, missing[0])}")
    with transaction(box.db):
        delete_comments(box.db, list(keys.values()))
    return ok()


def routes(box: Sandbox) -> list[Route]:
    base = "/api/v1/sources/{owner}/{source}"
    return [
        route("POST", base + "/sync", Endpoint(box, "sync", EDIT, sync)),
        route("GET", base + "/comments/{comment}", Endpoint(box, "get_comment", VIEW, get)),
        route("DELETE", base + "/comments", Endpoint(box, "delete_comments", EDIT, delete)),
    ]
