"""The answers of both eras, route by route: in 2020 the keys of the old reference's examples, repaired, and no others;
today at least those without which the vendor's own client cannot read an answer."""

from typing import Any

import pytest

from tests.sandbox.driver import DATASET, SOURCE, Driver, mail_labels, mails

TAG = "name.0.ABCD1234"
LABELLER = f"{DATASET}/labellers"
STREAMS = f"{DATASET}/streams"
TRIGGERS = f"{DATASET}/triggers"
MAIL = {
    "headers": {"raw": "Message-ID: <1@x.org>\nDate: Thu, 09 Jan 2020 16:34:45 +0000\nFrom: a@x.org\nTo: b@x.org"},
    "body": {"plain": "Write to bob@example.com\n\nRegards,\nAlice"},
}

SOURCE_2020 = (
    "id owner name language title description should_translate sensitive_properties created_at updated_at last_modified"
)
DATASET_2020 = (
    "id owner name title description created last_modified model_family source_ids has_sentiment limited_access"
)
TRIGGER_2020 = "created_at dataset_id description id name title updated_at"
COMMENT_2020 = "uid id source_id timestamp messages user_properties created_at last_modified"
FETCHED_2020 = "comment entities labels sequence_id"
ENTITY_2020 = "formatted_value kind span"
SPAN_2020 = "content_part message_index utf16_byte_start utf16_byte_end"

SOURCE_TODAY = "id owner name title description language should_translate created_at updated_at _kind"
DATASET_TODAY = (
    "id owner name title description created last_modified model_family source_ids has_sentiment entity_defs"
    " general_fields label_defs label_groups _dataset_flags"
)
TRIGGER_TODAY = "id dataset_id name title description created_at updated_at model"
COMMENT_TODAY = "id uid timestamp messages created_at user_properties attachments has_annotations"
ENTITY_TODAY = "id name kind formatted_value span spans probability capture_ids"
SPAN_TODAY = f"{SPAN_2020} char_start char_end"


def keys(text: str) -> set[str]:
    return set(text.split())


async def prepared(driver: Driver) -> int:
    """Two dozen annotated comments, a pinned version, a trigger with it; returns the version."""
    await driver.prepare(entity_kinds=["email"])
    await driver.upload([{**one, "thread_id": "7"} for one in mails(24)])
    await driver.annotate(mail_labels(24))
    version = await driver.train_and_pin()
    await driver.create_trigger(model={"version": version}, comment_filter={"user_properties": {}})
    return version


async def entity(driver: Driver, version: int) -> dict[str, Any]:
    body = {"documents": [{"raw_email": MAIL}], "transform_tag": TAG}
    answer = await driver.ok("POST", f"{LABELLER}/{version}/predict-raw-emails", body)
    found: dict[str, Any] = answer["entities"][0][0]
    return found


async def test_sources_of_2020(y2020: Driver) -> None:
    made = await y2020.ok("PUT", SOURCE, {"source": {}})
    assert (set(made), set(made["source"])) == ({"status", "source"}, keys(SOURCE_2020))
    by_id = f"/api/v1/sources/id:{made['source']['id']}"
    for path, key in ((SOURCE, "source"), (by_id, "source"), ("/api/v1/sources", "sources")):
        answer = await y2020.ok("GET", path)
        assert answer == {"status": "ok", key: made["source"] if key == "source" else [made["source"]]}
    assert set((await y2020.ok("POST", SOURCE, {"source": {}}))["source"]) == keys(SOURCE_2020)
    assert await y2020.ok("DELETE", by_id) == {"status": "ok"}


async def test_sources_by_owner_come_under_their_own_name_not_as_datasets(each: Driver) -> None:
    await each.ok("PUT", SOURCE, {"source": {}})
    assert set(await each.ok("GET", "/api/v1/sources/org1")) == {"status", "sources"}


async def test_sources_of_today(today: Driver) -> None:
    made = (await today.ok("PUT", SOURCE, {"source": {}}))["source"]
    assert keys(SOURCE_TODAY) <= set(made)


async def test_datasets_of_2020(y2020: Driver) -> None:
    made = await y2020.ok("PUT", DATASET, {"dataset": {}})
    assert (set(made), set(made["dataset"])) == ({"status", "dataset"}, keys(DATASET_2020))
    assert await y2020.ok("GET", DATASET) == made
    for path in ("/api/v1/datasets", "/api/v1/datasets/org1"):
        assert await y2020.ok("GET", path) == {"status": "ok", "datasets": [made["dataset"]]}
    assert set((await y2020.ok("POST", DATASET, {"dataset": {}}))["dataset"]) == keys(DATASET_2020)
    assert await y2020.ok("DELETE", DATASET) == {"status": "ok"}


async def test_datasets_of_today(today: Driver) -> None:
    made = (await today.ok("PUT", DATASET, {"dataset": {}}))["dataset"]
    assert keys(DATASET_TODAY) <= set(made)
    assert all(isinstance(made[key], list) for key in keys("entity_defs general_fields label_defs label_groups"))
    assert (await today.ok("GET", f"/api/v1/datasets/id:{made['id']}"))["dataset"] == made


async def test_comments_of_2020(y2020: Driver) -> None:
    await y2020.prepare()
    assert set(await y2020.upload(mails(2))) == keys("status new unchanged updated")
    answer = await y2020.ok("GET", f"{SOURCE}/comments/0000")
    assert (set(answer), set(answer["comment"])) == ({"status", "comment"}, keys(COMMENT_2020))
    assert await y2020.ok("DELETE", f"{SOURCE}/comments?ids=0000,0001") == {"status": "ok"}


async def test_comments_of_today(today: Driver) -> None:
    await today.prepare()
    assert set(await today.upload(mails(2))) == keys(
        "status new unchanged updated updated_properties_only updated_text_changed"
    )
    answer = await today.ok("GET", f"{SOURCE}/comments/0000?include_markup=true")
    assert keys(COMMENT_TODAY) <= set(answer["comment"])
    assert await today.ok("DELETE", f"{SOURCE}/comments?id=0000&id=0001") == {"status": "ok"}


async def test_raw_emails_of_2020(y2020: Driver) -> None:
    await y2020.prepare()
    body = {"documents": [{"raw_email": MAIL}], "transform_tag": TAG, "include_comments": True}
    answer = await y2020.ok("POST", f"{SOURCE}/sync-raw-emails", body)
    assert set(answer) == keys("status comments new unchanged updated")
    (comment,) = answer["comments"]
    assert keys("id messages source_id timestamp uid user_properties") <= set(comment)
    assert set(comment["messages"][0]) == keys("body from sent_at signature to")


async def test_predictions(each: Driver) -> None:
    version = await prepared(each)
    text = {"messages": [{"body": {"text": "The trade has not settled"}}]}
    answer = await each.ok("POST", f"{LABELLER}/{version}/predict", {"documents": [text]})
    assert set(answer) == keys("status model predictions entities")
    assert set(answer["model"]) == keys("time version")
    assert (type(answer["model"]["version"]), len(answer["predictions"])) == (int, 1)
    assert {frozenset(label) for label in answer["predictions"][0]} == {frozenset(keys("name probability sentiment"))}
    answer = await each.ok("POST", f"{LABELLER}/{version}/predict-comments", {"uids": [f"{each.source_id}.0000"]})
    assert set(answer) == keys("status model predictions")
    assert set(answer["predictions"][0]) == keys("uid labels entities")


async def test_predictions_by_uid_can_be_read_by_the_vendors_client(today: Driver) -> None:
    version = await prepared(today)
    body = {"uids": [f"{today.source_id}.0000"], "threshold": "auto"}
    (prediction,) = (await today.ok("POST", f"{LABELLER}/{version}/predict-comments", body))["predictions"]
    assert {frozenset(label) for label in prediction["labels"]} == {
        frozenset(keys("name probability sentiment auto_thresholds"))
    }


async def test_entities_of_2020(y2020: Driver) -> None:
    found = await entity(y2020, await prepared(y2020))
    assert (set(found), set(found["span"])) == (keys(ENTITY_2020), keys(SPAN_2020))
    assert found["span"]["utf16_byte_start"] < found["span"]["utf16_byte_end"]


async def test_entities_of_today(today: Driver) -> None:
    found = await entity(today, await prepared(today))
    assert keys(ENTITY_TODAY) <= set(found)
    assert [keys(SPAN_TODAY) == set(span) for span in found["spans"]] == [True]


async def test_triggers_of_2020(y2020: Driver) -> None:
    version = await prepared(y2020)
    shown = await y2020.ok("GET", f"{TRIGGERS}/dispute")
    assert (set(shown), set(shown["trigger"])) == ({"status", "trigger"}, keys(TRIGGER_2020) | {"model"})
    assert shown["trigger"]["model"] == {"version": version}
    page = await y2020.fetch(1)
    assert set(page) == keys("status filtered results sequence_id")
    (result,) = page["results"]
    assert set(result) == keys(FETCHED_2020)
    assert set(result["comment"]) == keys(COMMENT_2020) | {"thread_id"}
    moved = await y2020.ok("POST", f"{TRIGGERS}/dispute/advance", {"sequence_id": page["sequence_id"]})
    assert moved == {"status": "ok", "sequence_id": page["sequence_id"]}
    reset = await y2020.ok("POST", f"{TRIGGERS}/dispute/reset", {"to_comment_created_at": "2020-06-03T16:05:00"})
    assert reset == {**shown, "sequence_id": "4LvtenIBAAA="}
    assert await y2020.ok("DELETE", f"{TRIGGERS}/dispute") == {"status": "ok"}


async def test_a_trigger_without_a_model_has_no_model_and_its_results_no_predictions(y2020: Driver) -> None:
    await y2020.prepare()
    await y2020.upload(mails(1))
    assert set(await y2020.create_trigger()) == keys(TRIGGER_2020)
    assert set((await y2020.fetch(1))["results"][0]) == keys("comment sequence_id")


@pytest.mark.parametrize(("path", "key"), [(TRIGGERS, "trigger"), (STREAMS, "stream")])
async def test_triggers_and_streams_of_today(today: Driver, path: str, key: str) -> None:
    version = await prepared(today)
    shown = (await today.ok("GET", f"{path}/dispute"))[key]
    assert keys(TRIGGER_TODAY) <= set(shown)
    assert shown["model"] == {"version": version, "label_thresholds": []}
    assert await today.ok("GET", path) == {"status": "ok", f"{key}s": [shown]}
    page = await today.ok("POST", f"{path}/dispute/fetch", {"size": 1})
    assert set(page) == keys("status filtered results sequence_id is_end_sequence")
    assert keys(COMMENT_TODAY) <= set(page["results"][0]["comment"])
    exception = {"uid": page["results"][0]["comment"]["uid"], "metadata": {"type": "No Prediction"}}
    assert await today.ok("PUT", f"{path}/dispute/exceptions", {"exceptions": [exception]}) == {"status": "ok"}
    assert await today.ok("DELETE", f"{path}/dispute/exceptions?uid={exception['uid']}") == {"status": "ok"}


async def test_results_of_a_stream(today: Driver) -> None:
    await prepared(today)
    answer = await today.ok("GET", f"{STREAMS}/dispute/results?max_results=1")
    assert set(answer) == keys("status results model num_filtered more_results continuation")
    assert set(answer["results"][0]) == keys("comment prediction continuation")
    (taxonomy,) = answer["results"][0]["prediction"]["taxonomies"]
    assert (taxonomy["name"], set(taxonomy["labels"][0])) == (
        "default",
        keys("name occurrence_confidence extraction_confidence fields"),
    )
