"""The limits of the documents on all but comments: a request at one is not refused for its form, one past it is."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from bridge.sandbox.settings import Profile
from tests.sandbox.driver import DATASET, SOURCE, Driver, comment

HTML_MAX = 33_554_432
NEW_SOURCE, NEW_DATASET = "/api/v1/sources/org1/new", "/api/v1/datasets/org1/new"
TRIGGERS, PREDICT = f"{DATASET}/triggers", f"{DATASET}/labellers/0/predict"
HEX_16 = "0123456789abcdef"


class Limit(NamedTuple):
    """`body` makes a request of `fits` and of `past`; `only` is the one profile that has the field."""

    what: str
    method: str
    path: str
    body: Callable[[Any], object]
    fits: Any
    past: Any
    only: str = ""


def source(**fields: Any) -> object:
    return {"source": fields}


def dataset(**fields: Any) -> object:
    return {"dataset": fields}


def trigger(**fields: Any) -> object:
    return {"trigger": {"name": "new", **fields}}


def filtered(**dimensions: Any) -> object:
    return trigger(comment_filter=dimensions)


def thresholds(*given: Any) -> object:
    return trigger(model={"version": 0, "label_thresholds": list(given)})


def predict(**fields: Any) -> object:
    return {"documents": [], **fields}


def raw_email(headers: Any, body: Any, **more: Any) -> object:
    documents = [{"raw_email": {"headers": headers, "body": body}}]
    return {"documents": documents, "transform_tag": "name.0.ABCD1234", **more}


def annotation(name: Any) -> object:
    return {"annotations": [{"comment_uid": "a.b", "labels": [{"name": name}]}]}


def words(count: int) -> list[str]:
    return [f"w{index}" for index in range(count)]


def ids(count: int) -> list[str]:
    return [f"{index:016x}" for index in range(count)]


HOLDERS = [
    Limit("source title", "PUT", NEW_SOURCE, lambda v: source(title=v), "x" * 128, "x" * 129),
    Limit("source description", "PUT", NEW_SOURCE, lambda v: source(description=v), "x" * 16384, "x" * 16385),
    Limit("source title in an update", "POST", SOURCE, lambda v: source(title=v), "x" * 128, "x" * 129),
    Limit("should_translate", "PUT", NEW_SOURCE, lambda v: source(should_translate=v), True, "yes"),
    Limit("language of 2020", "PUT", NEW_SOURCE, lambda v: source(language=v), "de", "xlm", "2020"),
    Limit("language of today", "PUT", NEW_SOURCE, lambda v: source(language=v), "xlm", "fr", "today"),
    Limit("language in an update", "POST", SOURCE, lambda v: source(**v), {}, {"language": "en"}),
    Limit(
        "sensitive_properties", "PUT", NEW_SOURCE, lambda v: source(sensitive_properties=v), words(4096), words(4097)
    ),
    Limit("bucket_id", "POST", SOURCE, lambda v: source(bucket_id=v), None, HEX_16[:15], "today"),
    Limit("bucket_id of 2020", "POST", SOURCE, lambda v: source(**v), {}, {"bucket_id": None}, "2020"),
    Limit("_kind", "POST", SOURCE, lambda v: source(_kind=v), "ixp_runtime", "mail", "today"),
    Limit("unknown key of a source", "PUT", NEW_SOURCE, lambda v: source(**v), {}, {"colour": "red"}),
    Limit("key beside the source", "PUT", NEW_SOURCE, lambda v: {"source": {}, **v}, {}, {"colour": "red"}),
    Limit("dataset title", "PUT", NEW_DATASET, lambda v: dataset(title=v), "x" * 128, "x" * 129),
    Limit("dataset description", "PUT", NEW_DATASET, lambda v: dataset(description=v), "x" * 16384, "x" * 16385),
    Limit("source_ids", "PUT", NEW_DATASET, lambda v: dataset(source_ids=v), ids(1024), ids(1025)),
    Limit("form of source_ids", "PUT", NEW_DATASET, lambda v: dataset(source_ids=[v]), HEX_16, HEX_16.upper()),
    Limit("model_family of 2020", "PUT", NEW_DATASET, lambda v: dataset(model_family=v), "german", "french", "2020"),
    Limit("has_sentiment", "PUT", NEW_DATASET, lambda v: dataset(has_sentiment=v), False, "no"),
    Limit("has_sentiment in an update", "POST", DATASET, lambda v: dataset(**v), {}, {"has_sentiment": True}),
    Limit("copy_labels_from", "PUT", NEW_DATASET, lambda v: dataset(copy_labels_from=v), HEX_16, HEX_16 + "0"),
    Limit("owner", "PUT", "/api/v1/sources/{}/new", lambda _: source(), "o" * 1024, "o" * 1025),
    Limit("characters of an owner", "PUT", "/api/v1/sources/{}/new", lambda _: source(), "A-z_0.9", "a+b"),
    Limit("source name", "PUT", "/api/v1/sources/org1/{}", lambda _: source(), "n" * 256, "n" * 257),
    Limit("characters of a name", "PUT", "/api/v1/sources/org1/{}", lambda _: source(), "A-z_09", "a.b"),
    Limit("dataset name", "PUT", "/api/v1/datasets/org1/{}", lambda _: dataset(), "n" * 256, "n" * 257),
]
TRIGGER = [
    Limit("trigger name", "PUT", TRIGGERS, lambda v: trigger(name=v), "n" * 256, "n" * 257),
    Limit("trigger title", "PUT", TRIGGERS, lambda v: trigger(title=v), "x" * 128, "x" * 129),
    Limit("trigger description", "PUT", TRIGGERS, lambda v: trigger(description=v), "x" * 16384, "x" * 16385),
    Limit("version", "PUT", TRIGGERS, lambda v: trigger(model={"version": v}), 0, -1),
    Limit("version is a number", "PUT", TRIGGERS, lambda v: trigger(model={"version": v}), 8, "8"),
    Limit("no threshold", "PUT", TRIGGERS, lambda v: thresholds(*v), [{"name": ["a"], "threshold": 0}], []),
    Limit("low threshold", "PUT", TRIGGERS, lambda v: thresholds({"name": ["a"], "threshold": v}), 0, -0.001),
    Limit("high threshold", "PUT", TRIGGERS, lambda v: thresholds({"name": ["a"], "threshold": v}), 1, 1.001),
    Limit("levels", "PUT", TRIGGERS, lambda v: thresholds({"name": v, "threshold": 0}), ["a"] * 64, ["a"] * 65),
    Limit(
        "length of a level", "PUT", TRIGGERS, lambda v: thresholds({"name": [v], "threshold": 0}), "a" * 64, "a" * 65
    ),
    Limit("empty level", "PUT", TRIGGERS, lambda v: thresholds({"name": [v], "threshold": 0}), "a", ""),
    Limit(
        "number of thresholds",
        "PUT",
        TRIGGERS,
        lambda v: thresholds(*({"name": [word], "threshold": 0} for word in v)),
        words(4096),
        words(4097),
    ),
    Limit(
        "filter list",
        "PUT",
        TRIGGERS,
        lambda v: filtered(user_properties={"string:a": {"one_of": v}}),
        words(128),
        words(129),
    ),
    Limit(
        "empty filter list", "PUT", TRIGGERS, lambda v: filtered(user_properties={"string:a": {"one_of": v}}), ["a"], []
    ),
    Limit(
        "repeats in a filter",
        "PUT",
        TRIGGERS,
        lambda v: filtered(user_properties={"string:a": {"one_of": v}}),
        ["a"],
        ["a"] * 2,
    ),
    Limit(
        "filter text",
        "PUT",
        TRIGGERS,
        lambda v: filtered(user_properties={"string:a": {"one_of": [v]}}),
        "x" * 65536,
        "x" * 65537,
    ),
    Limit(
        "filter type",
        "PUT",
        TRIGGERS,
        lambda v: filtered(user_properties={"number:a": v}),
        {"minimum": 1},
        {"minimum": "1"},
    ),
    Limit(
        "filter property",
        "PUT",
        TRIGGERS,
        lambda v: filtered(user_properties=v),
        {"number:a": {"one_of": [1]}},
        {"a": {"one_of": [1]}},
    ),
    Limit("filter sources", "PUT", TRIGGERS, lambda v: filtered(sources=v), ids(128), ids(129), "today"),
    Limit(
        "filter dimension of 2020", "PUT", TRIGGERS, lambda v: filtered(**v), {}, {"reviewed": "only_reviewed"}, "2020"
    ),
    Limit("reviewed", "PUT", TRIGGERS, lambda v: filtered(reviewed=v), "only_reviewed", "all", "today"),
    Limit(
        "filter times",
        "PUT",
        TRIGGERS,
        lambda v: filtered(timestamp={"minimum": v}),
        "1950-01-01",
        "1949-12-31",
        "today",
    ),
    Limit("size", "POST", f"{TRIGGERS}/dispute/fetch", lambda v: {"size": v}, 1024, 1025),
    Limit("least size", "POST", f"{TRIGGERS}/dispute/fetch", lambda v: {"size": v}, 1, 0),
    Limit("max_filtered", "POST", f"{TRIGGERS}/dispute/fetch", lambda v: {"size": 1, "max_filtered": v}, 1024, 1025),
    Limit(
        "reset early",
        "POST",
        f"{TRIGGERS}/dispute/reset",
        lambda v: {"to_comment_created_at": v},
        "1950-01-01T00:00:00",
        "1949-12-31T23:59:59",
    ),
    Limit(
        "reset late",
        "POST",
        f"{TRIGGERS}/dispute/reset",
        lambda v: {"to_comment_created_at": v},
        "2049-12-31T23:59:59Z",
        "2050-01-01T00:00:00Z",
    ),
    Limit(
        "reset by zone",
        "POST",
        f"{TRIGGERS}/dispute/reset",
        lambda v: {"to_comment_created_at": v},
        "1950-01-01T01:00:00+01:00",
        "1950-01-01T00:59:59+01:00",
    ),
    Limit(
        "key beside sequence_id",
        "POST",
        f"{TRIGGERS}/dispute/advance",
        lambda v: {"sequence_id": "4LvtenIBAAA=", **v},
        {},
        {"size": 1},
    ),
]
PREDICTION = [
    Limit("documents", "POST", PREDICT, lambda v: {"documents": [{"messages": []}] * v}, 4096, 4097),
    Limit("uids", "POST", f"{PREDICT}-comments", lambda v: {"uids": ["a.b"] * v}, 4096, 4097),
    Limit("default threshold", "POST", PREDICT, lambda v: predict(threshold=v), 1, 1.001),
    Limit("default threshold below", "POST", PREDICT, lambda v: predict(threshold=v), 0, -0.001),
    Limit("auto", "POST", PREDICT, lambda v: predict(threshold=v), "auto", "automatic", "today"),
    Limit("label threshold", "POST", PREDICT, lambda v: predict(labels=[{"name": ["a"], "threshold": v}]), 1, 2),
    Limit("label levels", "POST", PREDICT, lambda v: predict(labels=[{"name": v}]), ["a"] * 64, ["a"] * 65),
    Limit("label as text", "POST", PREDICT, lambda v: predict(labels=[{"name": v}]), ["a", "b"], "a > b"),
    Limit("unknown key", "POST", PREDICT, lambda v: predict(**v), {}, {"include_comments": True}),
    Limit(
        "messages", "POST", PREDICT, lambda v: {"documents": [{"messages": [{"body": {"text": ""}}] * v}]}, 2048, 2049
    ),
    Limit(
        "raw emails",
        "POST",
        f"{PREDICT}-raw-emails",
        lambda v: {
            "documents": [{"raw_email": {"headers": {"raw": ""}, "body": {"plain": ""}}}] * v,
            "transform_tag": "name.0.ABCD1234",
        },
        4096,
        4097,
    ),
    Limit(
        "headers",
        "POST",
        f"{PREDICT}-raw-emails",
        lambda v: raw_email({"raw": v}, {"plain": ""}),
        "x" * 65536,
        "x" * 65537,
    ),
    Limit(
        "plain part",
        "POST",
        f"{PREDICT}-raw-emails",
        lambda v: raw_email({"raw": ""}, {"plain": v}),
        "x" * 65536,
        "x" * 65537,
    ),
    Limit(
        "html part",
        "POST",
        f"{PREDICT}-raw-emails",
        lambda v: raw_email({"raw": ""}, {"html": "x" * v}),
        HTML_MAX,
        HTML_MAX + 1,
    ),
    Limit(
        "include_comments",
        "POST",
        f"{PREDICT}-raw-emails",
        lambda v: raw_email({"raw": ""}, {"plain": ""}, include_comments=v),
        True,
        1,
    ),
]
LABELS = [
    Limit("levels of an annotation", "POST", f"{DATASET}/sync-annotations", annotation, ["a"] * 64, ["a"] * 65),
    Limit("level of an annotation", "POST", f"{DATASET}/sync-annotations", annotation, ["a" * 64], ["a" * 65]),
    Limit("annotation in one text", "POST", f"{DATASET}/sync-annotations", annotation, "Parent > Child", ""),
]
CASES = [
    pytest.param(profile, limit, id=f"{limit.what}-{profile}")
    for limit in (*HOLDERS, *TRIGGER, *PREDICTION, *LABELS)
    for profile in Profile
    if limit.only in ("", profile)
]


async def ask(driver: Driver, limit: Limit, value: Any) -> tuple[int, str]:
    path = limit.path.format(value) if "{}" in limit.path else limit.path
    response = await driver.client.request(
        limit.method,
        path,
        content=json.dumps(limit.body(value)),
        headers={"content-type": "application/json"},
    )
    answer = response.json()
    assert answer["status"] == ("ok" if response.status_code == 200 else "error")
    return response.status_code, answer.get("message", "")


@pytest.mark.parametrize(("each", "limit"), CASES, indirect=["each"])
async def test_a_request_at_the_limit_is_not_refused_for_its_form_and_one_past_it_is(
    each: Driver, limit: Limit
) -> None:
    await each.prepare()
    await each.create_trigger()
    status, message = await ask(each, limit, limit.past)
    assert status == 400, message
    assert message
    status, message = await ask(each, limit, limit.fits)
    assert status in (200, 404, 422), message


@pytest.mark.parametrize("count", [128, 129])
async def test_up_to_128_comments_are_deleted_in_one_call(each: Driver, count: int) -> None:
    await each.prepare()
    await each.upload([comment(f"{index:04x}") for index in range(count)])
    names = ",".join(f"{index:04x}" for index in range(count))
    response = await each.send("DELETE", f"{SOURCE}/comments?ids={names}")
    assert response.status_code == (200 if count == 128 else 400)
