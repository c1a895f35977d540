"""Raw emails: kept as comments, or only predicted (fact sheet sections 6 and 7)."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.comments import make_draft
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.errors import ApiError
from bridge.sandbox.rawmail import comment_of, document_of, read_mail
from bridge.sandbox.routes.predictions import SEE, addressed, by_document, find, read_asked
from bridge.sandbox.shown import shown_comments
from bridge.sandbox.store.comments import keys_of, rows_by_key
from bridge.sandbox.store.holders import Holder
from bridge.sandbox.uploads import upload
from bridge.sandbox.wire import decode_mail, encode, ok

EDIT = frozenset({Permission.EDIT_VERBATIMS})
TRANSFORM_TAG = re.compile(r"[A-Za-z0-9_-]+\.[0-9]+\.[A-Z0-9]{8}")
"""The form of those the documents show; another is refused as an unknown one would be."""


async def sync(call: Call) -> Response:
    """As `sync` for comments; the first email that cannot be one refuses the whole call, by its number."""
    box = call.box
    body = _read(call, call.json(box.shapes.sync_raw_emails, decode_mail))
    source = box.holder("sources", call.path("owner"), call.path("source"))
    overrides = frozenset(body.get("override_user_properties", ()))
    uploads = await asyncio.to_thread(_comments, box, body["documents"], overrides)
    drafts = [make_draft(each) for each in uploads]
    counts = upload(box, source, drafts)
    more = {"comments": _shown(call, source, [draft.id for draft in drafts])} if body.get("include_comments") else {}
    return ok(**counts, **more)


def _read(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Raises ApiError 422 for a tag of no integration."""
    tag = body.get("transform_tag")
    if tag is not None and not TRANSFORM_TAG.fullmatch(tag):
        raise ApiError(422, f"{tag!r} is not a valid transform tag")
    return body


def _comments(box: Sandbox, documents: Sequence[Mapping[str, Any]], overrides: frozenset[str]) -> list[dict[str, Any]]:
    return [_comment(box, number, document, overrides) for number, document in enumerate(documents)]


def _comment(box: Sandbox, number: int, document: Mapping[str, Any], overrides: frozenset[str]) -> dict[str, Any]:
    """What came out of a mail must be a lawful comment too."""
    try:
        comment = comment_of(read_mail(document["raw_email"]), document, overrides, today=box.today)
        box.shapes.comment.validate(comment)
    except ApiError as error:
        raise ApiError(422, f"document {number}: {error.message}") from error
    return comment


def _shown(call: Call, source: Holder, ids: Sequence[str]) -> list[msgspec.Raw]:
    keys = keys_of(call.box.db, source.key, ids)
    return shown_comments(call, rows_by_key(call.box.db, [keys[each] for each in ids], -1, -1))


async def predict(call: Call) -> Response:
    box = call.box
    body = _read(call, call.json(box.shapes.predict_raw_emails, decode_mail))
    dataset, record = addressed(call)
    shown = await asyncio.to_thread(_documents, body["documents"])
    findings = await find(box, dataset, record, read_asked(body), [encode(each) for each in shown])
    more = {"comments": shown} if body.get("include_comments") else {}
    return ok(**by_document(dataset, record, findings), **more)


def _documents(documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [document_of(read_mail(document["raw_email"]), document) for document in documents]


def routes(box: Sandbox) -> list[Route]:
    labeller = "/api/v1/datasets/{owner}/{dataset}/labellers/{version}"
    return [
        route("POST", "/api/v1/sources/{owner}/{source}/sync-raw-emails", Endpoint(box, "sync_raw_emails", EDIT, sync)),
        route("POST", labeller + "/predict-raw-emails", Endpoint(box, "predict_raw_emails", SEE, predict)),
    ]
