"""A page of a trigger on the wire: the answers of `fetch` and of `results`."""

import math
from typing import Any

import msgspec

from bridge.sandbox.box import Sandbox
from bridge.sandbox.learning.model import LabelPath, unpack
from bridge.sandbox.pages import Page, Reader
from bridge.sandbox.positions import encode_position
from bridge.sandbox.predictor import LoadedModel, cleared
from bridge.sandbox.shown import Hidden, shown_doc
from bridge.sandbox.store.comments import Row
from bridge.sandbox.store.holders import Holder
from bridge.sandbox.store.triggers import Trigger
from bridge.sandbox.wire import encode

NO_ENTITIES = b"[]"
_raw_entities = msgspec.json.Decoder(list[msgspec.Raw]).decode
SPAN_2020 = ("content_part", "message_index", "utf16_byte_start", "utf16_byte_end")


def thresholds_of(trigger: Trigger) -> dict[LabelPath, float] | None:
    """None where the trigger names none, which lets every label through."""
    listed = trigger.doc.get("model", {}).get("label_thresholds")
    return None if listed is None else {tuple(each["name"]): float(each["threshold"]) for each in listed}


async def predicted_rows(box: Sandbox, reader: Reader, rows: list[Row]) -> list[Row]:
    return rows if reader.model < 0 else await box.predictor.fill(reader.model, rows)


async def fetch_answer(box: Sandbox, dataset: Holder, reader: Reader, page: Page, hidden: Hidden) -> bytes:
    """Spliced from stored JSON, so that a page costs little more than its bytes."""
    rows = await predicted_rows(box, reader, page.rows)
    loaded = None if reader.model < 0 else box.predictor.loaded(reader.model)
    thresholds = thresholds_of(reader.trigger)
    results = []
    for row in rows:
        doc = shown_doc(row, hidden, today=box.today)
        parts = [b'{"comment":', doc]
        if loaded is not None:
            parts += [b',"entities":', entities_json(box, dataset, row)]
            parts += [b',"labels":', labels_json(box, loaded, row, thresholds)]
        parts += [b',"sequence_id":"', encode_position(row.position).encode(), b'"}']
        results.append(b"".join(parts))
    ending = b',"is_end_sequence":%s' % (b"true" if page.is_last else b"false") if box.today else b""
    head = b'{"status":"ok","filtered":%d,"sequence_id":"%s"' % (page.filtered, encode_position(page.end).encode())
    return b"".join((head, ending, b',"results":[', b",".join(results), b"]}"))


def labels_json(box: Sandbox, loaded: LoadedModel, row: Row, thresholds: dict[LabelPath, float] | None) -> bytes:
    assert row.labels is not None
    return loaded.labels_json(row.labels, thresholds, box.settings.label_floor)


def entities_json(box: Sandbox, dataset: Holder, row: Row) -> bytes:
    return shown_entities(box, dataset, row.entities)


def shown_entities(box: Sandbox, dataset: Holder, entities: bytes | None) -> bytes:
    """Entities of the kinds that the dataset has switched on, in the profile's form."""
    kinds = dataset.doc.get("entity_kinds")
    if not kinds or entities is None or entities == NO_ENTITIES:
        return NO_ENTITIES
    # Stored by ourselves without blanks; inside a text the quotes would be escaped, so the bytes tell the kind.
    spelled = [b'"kind":"%b"' % kind.encode() for kind in kinds]
    if not any(kind in entities for kind in spelled):
        return NO_ENTITIES
    found = [each for each in _raw_entities(entities) if any(kind in bytes(each) for kind in spelled)]
    if box.today:
        return b"[%b]" % b",".join(map(bytes, found))
    return encode([_entity_2020(msgspec.json.decode(each)) for each in found])


def _entity_2020(entity: dict[str, Any]) -> dict[str, Any]:
    span = {key: entity["span"][key] for key in SPAN_2020}
    return {"formatted_value": entity["formatted_value"], "kind": entity["kind"], "span": span}


async def results_answer(box: Sandbox, dataset: Holder, reader: Reader, page: Page, hidden: Hidden) -> bytes:
    rows = await predicted_rows(box, reader, page.rows)
    loaded = None if reader.model < 0 else box.predictor.loaded(reader.model)
    results = []
    for row in rows:
        doc = shown_doc(row, hidden, today=box.today)
        shown: dict[str, Any] = {"comment": msgspec.Raw(doc), "continuation": encode_position(row.position)}
        if loaded is not None:
            shown["prediction"] = _prediction(box, dataset, loaded, reader, row)
        results.append(encode(shown))
    tail = {"num_filtered": page.filtered, "more_results": not page.is_last, "continuation": encode_position(page.end)}
    if reader.trigger.model_version is not None:
        tail["model"] = {"version": reader.trigger.model_version}
    return b"".join((b'{"status":"ok","results":[', b",".join(results), b"],", encode(tail)[1:]))


def _prediction(box: Sandbox, dataset: Holder, loaded: LoadedModel, reader: Reader, row: Row) -> dict[str, Any]:
    """On this route labels are not dropped: a label that passes the stream's threshold says `stream`."""
    assert row.labels is not None
    thresholds = thresholds_of(reader.trigger)
    labels = []
    for index, probability, _ in unpack(row.labels):
        path = loaded.model.labels[index]
        cut = box.settings.label_floor if thresholds is None else thresholds.get(path, math.inf)
        if probability >= min(cut, box.settings.label_floor):
            labels.append(_taxonomy_label(path, probability, passes=probability >= cut))
    fields = [_general_field(entity) for entity in msgspec.json.decode(entities_json(box, dataset, row))]
    return {"taxonomies": [{"name": "default", "labels": labels, "general_fields": fields, "scores": []}]}


def _taxonomy_label(path: LabelPath, probability: float, *, passes: bool) -> dict[str, Any]:
    confidence = {"value": probability, "thresholds": cleared(probability) + (["stream"] if passes else [])}
    return {
        "name": " > ".join(path),
        "occurrence_confidence": confidence,
        "extraction_confidence": confidence,
        "fields": [],
    }


def _general_field(entity: dict[str, Any]) -> dict[str, Any]:
    span = {key: entity["span"][key] for key in SPAN_2020}
    return {"name": entity["kind"], "value": {"formatted": entity["formatted_value"]}, "text_spans": [span]}
