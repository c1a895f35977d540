"""Triggers and streams: one state, two spellings (fact sheet section 2)."""

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.errors import ApiError, bad_request, not_found
from bridge.sandbox.positions import BEGINNING, Position, decode_position, encode_position
from bridge.sandbox.results import fetch_answer, results_answer
from bridge.sandbox.settings import StaleAdvance, StartAt
from bridge.sandbox.shapes import EXCEPTIONS_MAX, FETCH_MAX
from bridge.sandbox.shown import hidden_from
from bridge.sandbox.store.comments import key_of_uid
from bridge.sandbox.store.database import transaction
from bridge.sandbox.store.holders import Holder
from bridge.sandbox.store.triggers import (
    Trigger,
    delete_trigger,
    find_trigger,
    insert_trigger,
    list_triggers,
    move_trigger,
    tag_exception,
    untag_exceptions,
    update_trigger,
)
from bridge.sandbox.times import parse_time, print_ms, to_ms
from bridge.sandbox.wire import ok, ok_raw

RESULTS_DEFAULT = 100
"""Ours: the documents give no default for `max_results`."""


def present(box: Sandbox, dataset: Holder, trigger: Trigger) -> dict[str, Any]:
    """In 2020 the answer leaves out the filter and unset thresholds; today's own client needs the thresholds."""
    shown: dict[str, Any] = {
        "id": trigger.id,
        "dataset_id": dataset.id,
        "name": trigger.name,
        "title": trigger.doc.get("title", ""),
        "description": trigger.doc.get("description", ""),
        "created_at": print_ms(trigger.created_ms),
        "updated_at": print_ms(trigger.updated_ms),
    }
    if "model" in trigger.doc:
        shown["model"] = {**({"label_thresholds": []} if box.today else {}), **trigger.doc["model"]}
    if box.today and "comment_filter" in trigger.doc:
        shown["comment_filter"] = trigger.doc["comment_filter"]
    return shown


def _dataset(call: Call) -> Holder:
    return call.box.holder("datasets", call.path("owner"), call.path("dataset"))


def _both(call: Call) -> tuple[Holder, Trigger]:
    dataset = _dataset(call)
    return dataset, call.box.trigger(dataset, call.path("trigger"), call.word)


def _show(call: Call, dataset: Holder, trigger: Trigger, **more: str) -> Response:
    return ok(**{call.word: present(call.box, dataset, trigger), **more})


def _check_model(box: Sandbox, dataset: Holder, fields: dict[str, Any]) -> None:
    if "model" in fields:
        fields["model"]["version"] = int(fields["model"]["version"])
        box.pinned(dataset.key, fields["model"]["version"])


async def list_all(call: Call) -> Response:
    dataset = _dataset(call)
    shown = [present(call.box, dataset, trigger) for trigger in list_triggers(call.box.db, dataset.key)]
    return ok(**{f"{call.word}s": shown})


async def get(call: Call) -> Response:
    return _show(call, *_both(call))


async def put(call: Call) -> Response:
    """Creates; today a name that is there is updated, in 2020 (which knows no update) it is a conflict."""
    box = call.box
    fields = call.json(box.shapes.trigger_create[call.word])[call.word]
    dataset = _dataset(call)
    _check_model(box, dataset, fields)
    name = fields.pop("name")
    there = find_trigger(box.db, dataset.key, name)
    if there and not box.today:
        raise ApiError(409, f"{call.word} {dataset.owner}/{dataset.name}/{name} already exists")
    with transaction(box.db):
        if there:
            trigger = update_trigger(box.db, there, fields, box.now_ms())
        else:
            trigger = insert_trigger(box.db, dataset.key, name, fields, box.now_ms(), _start(box))
    box.warm()
    return _show(call, dataset, trigger)


def _start(box: Sandbox) -> Position:
    return BEGINNING if box.settings.start_at is StartAt.BEGINNING else Position(box.now_ms(), b"")


async def update(call: Call) -> Response:
    box = call.box
    fields = call.json(box.shapes.trigger_update[call.word])[call.word]
    dataset, trigger = _both(call)
    if fields.pop("name", trigger.name) != trigger.name:
        raise bad_request(f"a {call.word} cannot be renamed")
    _check_model(box, dataset, fields)
    with transaction(box.db):
        changed = update_trigger(box.db, trigger, fields, box.now_ms())
    box.warm()
    return _show(call, dataset, changed)


async def delete(call: Call) -> Response:
    _, trigger = _both(call)
    with transaction(call.box.db):
        delete_trigger(call.box.db, trigger)
    call.box.last_pages.pop(trigger.key, None)
    return ok()


async def fetch(call: Call) -> Response:
    """Does not move the position; the same call gives the same page until an advance."""
    box = call.box
    asked = call.json(box.shapes.fetch)
    dataset, trigger = _both(call)
    reader = box.reader(dataset, trigger)
    page = reader.page(trigger.position, int(asked["size"]), int(asked.get("max_filtered", 0)))
    call.note(
        size=int(asked["size"]),
        from_sequence_id=encode_position(trigger.position),
        sequence_id=encode_position(page.end),
        filtered=page.filtered,
        served=[encode_position(row.position) for row in page.rows],
    )
    body = await fetch_answer(box, dataset, reader, page, hidden_from(call))
    box.last_pages[trigger.key] = body
    return ok_raw(body)


async def results(call: Call) -> Response:
    box = call.box
    size = _count(call, "max_results", RESULTS_DEFAULT)
    max_filtered = _count(call, "max_filtered", 0)
    dataset, trigger = _both(call)
    reader = box.reader(dataset, trigger)
    page = reader.page(trigger.position, size, max_filtered)
    call.note(
        size=size,
        from_sequence_id=encode_position(trigger.position),
        sequence_id=encode_position(page.end),
        filtered=page.filtered,
        served=[encode_position(row.position) for row in page.rows],
    )
    body = await results_answer(box, dataset, reader, page, hidden_from(call))
    box.last_pages[trigger.key] = body
    return ok_raw(body)


def _count(call: Call, name: str, default: int) -> int:
    text = call.request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= FETCH_MAX):
        raise bad_request(f"{text!r} is not an integer from 1 to {FETCH_MAX} at '{name}'")
    return int(text)


async def advance(call: Call) -> Response:
    """Sets the position, also backwards (trap 26) unless the settings refuse that."""
    box = call.box
    sequence_id = call.json(box.shapes.advance)["sequence_id"]
    _, trigger = _both(call)
    position = decode_position(sequence_id)
    if position < trigger.position and box.settings.stale_advance is StaleAdvance.REFUSED:
        raise bad_request(f"{sequence_id!r} is behind the position of the {call.word}")
    with transaction(box.db):
        move_trigger(box.db, trigger, position)
    call.note(sequence_id=sequence_id, from_sequence_id=encode_position(trigger.position))
    return ok(sequence_id=sequence_id)


async def reset(call: Call) -> Response:
    """To just before the first comment uploaded in that millisecond or later."""
    box = call.box
    moment = parse_time(call.json(box.shapes.reset)["to_comment_created_at"])
    dataset, trigger = _both(call)
    position = Position(to_ms(moment), b"")
    with transaction(box.db):
        move_trigger(box.db, trigger, position)
    sequence_id = encode_position(position)
    call.note(sequence_id=sequence_id, from_sequence_id=encode_position(trigger.position))
    return _show(call, dataset, trigger, sequence_id=sequence_id)


async def tag(call: Call) -> Response:
    box = call.box
    exceptions = call.json(box.shapes.exceptions)["exceptions"]
    _, trigger = _both(call)
    keys = [_comment_key(box, exception["uid"]) for exception in exceptions]
    with transaction(box.db):
        for key, exception in zip(keys, exceptions, strict=True):
            tag_exception(box.db, trigger, key, exception["metadata"]["type"])
    return ok()


async def untag(call: Call) -> Response:
    box = call.box
    uids = call.request.query_params.getlist("uid")
    if not 1 <= len(uids) <= EXCEPTIONS_MAX:
        raise bad_request("'uid' is a required query parameter")
    _, trigger = _both(call)
    keys = [_comment_key(box, uid) for uid in uids]
    with transaction(box.db):
        untag_exceptions(box.db, trigger, keys)
    return ok()


def _comment_key(box: Sandbox, uid: str) -> int:
    key = key_of_uid(box.db, uid)
    if key is None:
        raise not_found(f"comment {uid}")
    return key


_SEE = frozenset({Permission.VIEW_LABELS, Permission.VIEW_SOURCES})
CONSUME_2020 = _SEE | {Permission.CONSUME_TRIGGERS}
CONSUME_TODAY = frozenset({Permission.VIEW_LABELS, Permission.CONSUME_TRIGGERS})


def routes(box: Sandbox) -> list[Route]:
    return [*_spelled(box, "trigger"), *_spelled(box, "stream"), *_results(box)]


def _spelled(box: Sandbox, word: str) -> list[Route]:
    """Permissions as section 1.3 has them: today some of them no longer ask for View sources."""
    base = f"/api/v1/datasets/{{owner}}/{{dataset}}/{word}s"
    one = base + "/{trigger}"
    see = frozenset({Permission.VIEW_LABELS}) if box.today else _SEE
    view, admin = see | {Permission.VIEW_TRIGGERS}, see | {Permission.TRIGGERS_ADMIN}
    modify, move = frozenset({Permission.MODIFY_TRIGGERS}), CONSUME_TODAY if box.today else CONSUME_2020
    mark = frozenset({Permission.CONSUME_TRIGGERS, Permission.VIEW_SOURCES})
    return [
        route("GET", base, Endpoint(box, "list_triggers", view, list_all, word=word)),
        route("PUT", base, Endpoint(box, "create_trigger", admin, put, word=word)),
        route("GET", one, Endpoint(box, "get_trigger", view, get, word=word)),
        route("POST", one, Endpoint(box, "update_trigger", modify, update, word=word)),
        route("DELETE", one, Endpoint(box, "delete_trigger", admin, delete, word=word)),
        route("POST", one + "/fetch", Endpoint(box, "fetch", CONSUME_2020, fetch, word=word, logged=True)),
        route("POST", one + "/advance", Endpoint(box, "advance", move, advance, word=word, logged=True)),
        route("POST", one + "/reset", Endpoint(box, "reset", CONSUME_TODAY, reset, word=word, logged=True)),
        route("PUT", one + "/exceptions", Endpoint(box, "tag_exceptions", mark, tag, word=word)),
        route("DELETE", one + "/exceptions", Endpoint(box, "untag_exceptions", mark, untag, word=word)),
    ]


def _results(box: Sandbox) -> list[Route]:
    """Streams only, and at its early address too."""
    path = "/datasets/{owner}/{dataset}/streams/{trigger}/results"
    return [
        route("GET", f"/api/{era}{path}", Endpoint(box, "results", CONSUME_2020, results, word="stream", logged=True))
        for era in ("v1", "preview")
    ]
