"""Private routes the vendor's client uses for comments, labellings and lists (fact sheet sections 12.3, 12.4)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.comments import make_draft, uid_of
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.errors import ApiError, bad_request
from bridge.sandbox.shown import shown_comment, shown_comments
from bridge.sandbox.store.comments import Row, find_known, rows_by_key
from bridge.sandbox.store.holders import Kind, list_holders
from bridge.sandbox.store.listing import annotated_keys, keys_by_time
from bridge.sandbox.times import normal_time, print_ms
from bridge.sandbox.uploads import upload
from bridge.sandbox.wire import decode_mail, ok

PAGE_DEFAULT, PAGE_MAX = 64, 256
KINDS: tuple[Kind, ...] = ("sources", "datasets")
EARLIEST, LATEST = "1950-01-01T00:00:00.000000Z", "2049-12-31T23:59:59.999999Z"
VIEW = frozenset({Permission.VIEW_SOURCES})
EDIT = frozenset({Permission.EDIT_VERBATIMS})
SEE = frozenset({Permission.VIEW_LABELS, Permission.VIEW_SOURCES})


def page_size(call: Call) -> int:
    """Raises ApiError 400."""
    text = call.request.query_params.get("limit", str(PAGE_DEFAULT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= PAGE_MAX):
        raise bad_request(f"{text!r} is not an integer from 1 to {PAGE_MAX} at 'limit'")
    return int(text)


def to_token(where: tuple[str, str]) -> str:
    return urlsafe_b64encode(msgspec.json.encode(where)).decode()


def from_token(text: str) -> tuple[str, str]:
    """Raises ApiError 400 for anything but a continuation that was handed out."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(text.encode()), type=tuple[str, str])
    except (ValueError, msgspec.DecodeError) as error:
        raise bad_request(f"{text!r} is not a continuation at 'after'") from error


async def list_comments(call: Call) -> Response:
    """By the comments' own time, ascending unless asked otherwise; the last page has no `continuation`."""
    box, query = call.box, call.request.query_params
    source = box.holder("sources", call.path("owner"), call.path("source"))
    direction = query.get("direction", "asc")
    if direction not in ("asc", "desc"):
        raise bad_request(f"{direction!r} is not one of ['asc', 'desc']")
    after = from_token(query["after"]) if "after" in query else None
    between = tuple(
        normal_time(query[name]) if name in query else default
        for name, default in (("from_timestamp", EARLIEST), ("to_timestamp", LATEST))
    )
    size = page_size(call)
    found = keys_by_time(box.db, source.key, after, (between[0], between[1]), size + 1, descending=direction == "desc")
    rows = rows_by_key(box.db, [key for key, _, _ in found[:size]], -1, -1)
    more = {"continuation": to_token(found[size - 1][1:])} if len(found) > size else {}
    return ok(comments=shown_comments(call, rows), **more)


async def put_comments(call: Call) -> Response:
    """Creates only: a comment that is there with other content refuses the call."""
    box = call.box
    uploads = call.json(box.shapes.put_comments, decode_mail)["comments"]
    source = box.holder("sources", call.path("owner"), call.path("source"))
    drafts = [make_draft(each) for each in uploads]
    for draft in drafts:
        known = find_known(box.db, source.key, draft.id)
        if known is not None and known.content_digest != draft.content_digest:
            raise ApiError(409, f"comment {uid_of(source.id, draft.id)} already exists with other content")
    upload(box, source, drafts)
    return ok()


async def list_labellings(call: Call) -> Response:
    """Annotated comments of the dataset; an empty page is the end, and `after` stays away with it."""
    box = call.box
    dataset = box.holder("datasets", call.path("owner"), call.path("dataset"))
    after = call.request.query_params.get("after", "0")
    if not (after.isascii() and after.isdigit()):
        raise bad_request(f"{after!r} is not a continuation at 'after'")
    keys = annotated_keys(box.db, dataset.key, int(after), page_size(call))
    results = [_annotated(call, row) for row in rows_by_key(box.db, keys, dataset.key, -1)]
    return ok(results=results, **({"after": str(keys[-1])} if keys else {}))


def _annotated(call: Call, row: Row) -> dict[str, Any]:
    """The client cannot read a label without a sentiment, so one without is shown as positive, as a plain label is."""
    assert row.annotation is not None
    labels = [
        {"name": " > ".join(label["name"]), "sentiment": label.get("sentiment", "positive")}
        for label in msgspec.json.decode(row.annotation)
    ]
    labelling = [{"group": "default", "assigned": labels, "dismissed": []}]
    return {"comment": shown_comment(call, row), "labelling": labelling, "entities": {"assigned": [], "dismissed": []}}


async def list_buckets(_: Call) -> Response:
    """None: mail goes into sources directly here."""
    return ok(buckets=[])


async def list_projects(call: Call) -> Response:
    """Owners exist by what they own."""
    first: dict[str, int] = {}
    for kind in KINDS:
        for holder in list_holders(call.box.db, kind):
            first[holder.owner] = min(first.get(holder.owner, holder.created_ms), holder.created_ms)
    projects = [
        {"name": owner, "title": owner, "description": "", "created_at": print_ms(at), "updated_at": print_ms(at)}
        for owner, at in sorted(first.items())
    ]
    return ok(projects=projects)


def routes(box: Sandbox) -> list[Route]:
    private = "/api/_private"
    comments = private + "/sources/{owner}/{source}/comments"
    labellings = private + "/datasets/{owner}/{dataset}/labellings"
    return [
        route("GET", comments, Endpoint(box, "list_comments", VIEW, list_comments)),
        route("PUT", comments, Endpoint(box, "put_comments", EDIT, put_comments)),
        route("GET", labellings, Endpoint(box, "list_labellings", SEE, list_labellings)),
        route("GET", private + "/buckets", Endpoint(box, "list_buckets", VIEW, list_buckets)),
        route("GET", private + "/projects", Endpoint(box, "list_projects", VIEW, list_projects)),
    ]
