"""The sandbox's own routes under `/_sandbox/`, not of the platform: faults, tokens, event log, models, ground truth."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bridge.sandbox.auth import parse_permissions
from bridge.sandbox.box import Sandbox
from bridge.sandbox.comments import learning_text
from bridge.sandbox.endpoint import Call, Endpoint, Handler, route
from bridge.sandbox.errors import ApiError, bad_request
from bridge.sandbox.faults import Fault, FaultPlan
from bridge.sandbox.learning.train import Example, Trained, train
from bridge.sandbox.pages import Reader
from bridge.sandbox.positions import BEGINNING, Position, encode_position
from bridge.sandbox.results import labels_json, predicted_rows, thresholds_of
from bridge.sandbox.store.comments import count_comments
from bridge.sandbox.store.database import transaction
from bridge.sandbox.store.holders import Holder
from bridge.sandbox.store.models import (
    ModelRecord,
    annotated_comments,
    find_model,
    insert_model,
    list_models,
    pin_model,
)
from bridge.sandbox.times import print_ms
from bridge.sandbox.wire import ok, ok_raw

EXPECTED_CHUNK = 256


class TokenChange(msgspec.Struct, forbid_unknown_fields=True):
    """`set` gives tokens their permissions (`all` for every one), `revoke` ends tokens."""

    set: dict[str, list[str]] = {}
    revoke: list[str] = []


def _read(call: Call, form: Any) -> Any:
    try:
        return msgspec.json.decode(call.body, type=form)
    except msgspec.DecodeError as error:
        raise bad_request(str(error)) from error


async def add_faults(call: Call) -> Response:
    """A list of faults, or one; they join those that stand."""
    faults = _read(call, list[Fault] | Fault)
    call.box.faults.faults.extend(faults if isinstance(faults, list) else [faults])
    return ok(faults=call.box.faults.faults)


async def list_faults(call: Call) -> Response:
    return ok(faults=call.box.faults.faults)


async def clear_faults(call: Call) -> Response:
    call.box.faults = FaultPlan()
    return ok()


async def change_tokens(call: Call) -> Response:
    change = _read(call, TokenChange)
    try:
        granted = {token: parse_permissions(words) for token, words in change.set.items()}
    except ValueError as error:
        raise bad_request(str(error)) from error
    for token in change.revoke:
        call.box.tokens.revoke(token)
    for token, permissions in granted.items():
        call.box.tokens.grant(token, permissions)
    return ok(tokens=call.box.tokens.listing())


async def read_log(call: Call) -> Response:
    """Events numbered above `after`; `first_kept` tells whether some have left the memory."""
    after = call.request.query_params.get("after", "0")
    if not after.isdigit():
        raise bad_request(f"{after!r} is not an integer at 'after'")
    log = call.box.log
    head = b'{"status":"ok","latest":%d,"first_kept":%d,"events":[' % (log.latest, log.first_kept())
    return ok_raw(head + b",".join(log.after(int(after))) + b"]}")


async def health(call: Call) -> Response:
    settings = call.box.settings
    return ok(profile=settings.profile, db=str(settings.db), now_ms=settings.clock_ms())


async def warm(call: Call) -> Response:
    """Answers when predictions of every trigger's model are made and kept."""
    call.box.warm()
    await call.box.warmer.settled()
    return ok()


def _dataset(call: Call) -> Holder:
    return call.box.holder("datasets", call.path("owner"), call.path("dataset"))


def _show_model(record: ModelRecord) -> dict[str, Any]:
    pinned = record.pinned_ms
    return {
        "version": record.version,
        "trained_at": print_ms(record.trained_ms),
        "pinned_at": None if pinned is None else print_ms(pinned),
        "examples": record.summary["examples"],
        "labels": [
            {name: fact for name, fact in label.items() if name != "curve"} for label in record.summary["labels"]
        ],
    }


async def _in_thread(work: Callable[[], Trained]) -> Trained:
    """In a daemon thread, so that a training under way never holds up the end of the server."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Trained] = loop.create_future()

    def settle(result: Trained | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        elif result is not None:
            future.set_result(result)

    def run() -> None:
        result, problem = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  whatever it is belongs to whoever awaits
            problem = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=run, name="sandbox-training", daemon=True).start()
    return await future


def _examples(box: Sandbox, dataset: Holder) -> list[Example]:
    examples = []
    for doc, labels in annotated_comments(box.db, dataset.key, box.sources_of(dataset)):
        moods = [1 if label["sentiment"] == "positive" else -1 for label in labels if "sentiment" in label]
        mood = sum(moods) / len(moods) if moods and dataset.doc.get("has_sentiment", True) else None
        paths = frozenset(tuple(label["name"]) for label in labels)
        examples.append(Example(text=learning_text(doc), labels=paths, mood=mood))
    return examples


async def train_model(call: Call) -> Response:
    """Trains on all annotations of now and answers when done; other requests are served meanwhile."""
    box, dataset = call.box, _dataset(call)
    examples = _examples(box, dataset)
    try:
        trained = await _in_thread(lambda: train(examples))
    except ValueError as error:
        raise ApiError(422, f"training failed: {error}") from error
    summary = {"examples": len(examples), "labels": trained.validation}
    weights = await asyncio.to_thread(trained.model.to_bytes)
    with transaction(box.db):
        record = insert_model(box.db, dataset.key, box.now_ms(), summary, weights)
    return ok(model=_show_model(record))


async def models(call: Call) -> Response:
    return ok(models=[_show_model(record) for record in list_models(call.box.db, _dataset(call).key)])


async def pin(call: Call) -> Response:
    """Again for a pinned version it changes nothing."""
    box, dataset = call.box, _dataset(call)
    version = call.path("version")
    record = find_model(box.db, dataset.key, int(version)) if version.isdigit() else None
    if record is None:
        raise ApiError(404, f"model version {version} not found")
    with transaction(box.db):
        pin_model(box.db, record, box.now_ms())
    pinned = find_model(box.db, dataset.key, record.version)
    assert pinned is not None
    return ok(model=_show_model(pinned))


async def expected(call: Call) -> Response:
    """All that the trigger would deliver from the beginning of its data, wherever it stands: a JSON line each."""
    dataset = _dataset(call)
    trigger = call.box.trigger(dataset, call.path("trigger"))
    reader = call.box.reader(dataset, trigger)
    return StreamingResponse(_expected_lines(call.box, reader), media_type="application/x-ndjson")


async def _expected_lines(box: Sandbox, reader: Reader) -> AsyncIterator[bytes]:
    thresholds = thresholds_of(reader.trigger)
    position, more = BEGINNING, True
    while more:
        page = reader.page(position, EXPECTED_CHUNK, EXPECTED_CHUNK)
        rows = await predicted_rows(box, reader, page.rows)
        loaded = None if reader.model < 0 else box.predictor.loaded(reader.model)
        for row in rows:
            comment = msgspec.json.decode(row.doc, type=_Identity)
            labels = b"null" if loaded is None else labels_json(box, loaded, row, thresholds)
            line = _Expected(comment.uid, encode_position(row.position), comment.created_at, msgspec.Raw(labels))
            yield msgspec.json.encode(line) + b"\n"
        position, more = page.end, not page.is_last


class _Identity(msgspec.Struct):
    uid: str
    created_at: str


class _Expected(msgspec.Struct):
    uid: str
    sequence_id: str
    created_at: str
    labels: msgspec.Raw


async def where(call: Call) -> Response:
    """Where the trigger stands, and how many comments lie behind and before it, filtered ones included."""
    box, dataset = call.box, _dataset(call)
    trigger = box.trigger(dataset, call.path("trigger"))
    waiting = count_comments(box.db, box.sources_of(dataset), trigger.position)
    total = count_comments(box.db, box.sources_of(dataset), Position(BEGINNING.ms, b""))
    return ok(sequence_id=encode_position(trigger.position), waiting=waiting, passed=total - waiting)


def routes(box: Sandbox) -> list[Route]:
    base, dataset = "/_sandbox", "/_sandbox/datasets/{owner}/{dataset}"
    table: Sequence[tuple[str, str, Handler]] = (
        ("GET", base + "/health", health),
        ("POST", base + "/faults", add_faults),
        ("GET", base + "/faults", list_faults),
        ("DELETE", base + "/faults", clear_faults),
        ("POST", base + "/tokens", change_tokens),
        ("GET", base + "/log", read_log),
        ("POST", base + "/warm", warm),
        ("POST", dataset + "/train", train_model),
        ("GET", dataset + "/models", models),
        ("POST", dataset + "/models/{version}/pin", pin),
        ("GET", dataset + "/triggers/{trigger}/expected", expected),
        ("GET", dataset + "/triggers/{trigger}/position", where),
    )
    return [
        route(method, path, Endpoint(box, "admin", frozenset(), handler, admin=True)) for method, path, handler in table
    ]
