"""Sources and datasets."""

import pytest

from tests.sandbox.driver import DATASET, SOURCE, Driver, comment

SOURCE_KEYS_2020 = {
    "id",
    "owner",
    "name",
    "language",
    "title",
    "description",
    "should_translate",
    "sensitive_properties",
    "created_at",
    "updated_at",
    "last_modified",
}
DATASET_KEYS_2020 = {
    "id",
    "owner",
    "name",
    "title",
    "description",
    "created",
    "last_modified",
    "model_family",
    "source_ids",
    "has_sentiment",
    "limited_access",
}


async def test_a_new_source_has_the_shape_of_2020(y2020: Driver) -> None:
    made = (await y2020.ok("PUT", SOURCE, {"source": {"title": "Mail", "language": "de"}}))["source"]
    assert set(made) == SOURCE_KEYS_2020
    assert (made["title"], made["description"], made["language"]) == ("Mail", "", "de")
    assert made["created_at"] == made["updated_at"] == made["last_modified"] == "2020-06-01T13:27:29.450000Z"


async def test_todays_source_has_a_kind(today: Driver) -> None:
    assert (await today.ok("PUT", SOURCE, {"source": {}}))["source"]["_kind"] == "unknown"


async def test_a_source_is_found_by_name_id_and_owner(each: Driver) -> None:
    made = (await each.ok("PUT", SOURCE, {"source": {}}))["source"]
    await each.ok("PUT", "/api/v1/sources/org2/other", {"source": {}})
    assert (await each.ok("GET", SOURCE))["source"] == made
    assert (await each.ok("GET", f"/api/v1/sources/id:{made['id']}"))["source"] == made
    assert (await each.ok("GET", "/api/v1/sources/org1"))["sources"] == [made]
    assert len((await each.ok("GET", "/api/v1/sources"))["sources"]) == 2


async def test_an_update_changes_what_it_names_and_moves_both_times_on(each: Driver) -> None:
    made = (await each.ok("PUT", SOURCE, {"source": {"title": "a", "description": "b"}}))["source"]
    changed = (await each.ok("POST", SOURCE, {"source": {"description": "c"}}))["source"]
    assert changed["title"] == "a"
    assert changed["description"] == "c"
    assert changed["updated_at"] == changed["last_modified"] > made["updated_at"]
    assert changed["created_at"] == made["created_at"]


async def test_delete_is_404_the_second_time(each: Driver) -> None:
    made = (await each.ok("PUT", SOURCE, {"source": {}}))["source"]
    path = f"/api/v1/sources/id:{made['id']}"
    assert await each.ok("DELETE", path) == {"status": "ok"}
    await each.refused(404, "DELETE", path)
    await each.refused(404, "GET", SOURCE)


async def test_deleting_a_source_takes_its_comments_out_of_the_trigger(each: Driver) -> None:
    await each.prepare()
    await each.upload([comment("ab")])
    await each.create_trigger()
    await each.ok("DELETE", f"/api/v1/sources/id:{each.source_id}")
    assert (await each.fetch())["results"] == []


async def test_names_are_unique_and_addressable(each: Driver) -> None:
    await each.ok("PUT", SOURCE, {"source": {}})
    await each.refused(409, "PUT", SOURCE, {"source": {}})
    await each.refused(400, "PUT", "/api/v1/sources/org1/has%20blank", {"source": {}})
    await each.ok("PUT", f"/api/v1/sources/org1/{'n' * 256}", {"source": {}})
    await each.refused(400, "PUT", f"/api/v1/sources/org1/{'n' * 257}", {"source": {}})


@pytest.mark.parametrize(("field", "limit"), [("title", 128), ("description", 16384)], ids=["title", "description"])
@pytest.mark.parametrize("kind", ["source", "dataset"])
async def test_texts_pass_at_their_limit_and_not_past_it(each: Driver, kind: str, field: str, limit: int) -> None:
    path = f"/api/v1/{kind}s/org1/limits"
    await each.ok("PUT", path, {kind: {field: "x" * limit}})
    await each.refused(400, "POST", path, {kind: {field: "x" * (limit + 1)}})


async def test_languages_are_those_of_the_profile(today: Driver, y2020: Driver) -> None:
    await today.ok("PUT", SOURCE, {"source": {"language": "xlm"}})
    message = await y2020.refused(400, "PUT", SOURCE, {"source": {"language": "xlm"}})
    assert message == "'xlm' is not one of ['en', 'de'] at 'source/language'"


async def test_a_dataset_has_the_shape_of_2020(y2020: Driver) -> None:
    await y2020.prepare()
    dataset = (await y2020.ok("GET", DATASET))["dataset"]
    assert set(dataset) == DATASET_KEYS_2020
    assert (dataset["model_family"], dataset["has_sentiment"]) == ("english", True)


async def test_todays_dataset_has_the_keys_the_vendor_client_needs(today: Driver) -> None:
    await today.prepare(entity_kinds=["date"])
    dataset = (await today.ok("GET", DATASET))["dataset"]
    needed = {"label_defs", "label_groups", "entity_defs", "general_fields", "_dataset_flags"}
    assert needed <= set(dataset)
    assert [each["name"] for each in dataset["entity_defs"]] == ["date"]


async def test_a_dataset_is_found_by_name_id_and_owner(each: Driver) -> None:
    await each.prepare()
    dataset = (await each.ok("GET", DATASET))["dataset"]
    assert (await each.ok("GET", f"/api/v1/datasets/id:{dataset['id']}"))["dataset"] == dataset
    assert (await each.ok("GET", "/api/v1/datasets/org1"))["datasets"] == [dataset]
    assert (await each.ok("GET", "/api/v1/datasets/nobody"))["datasets"] == []


async def test_sentiment_is_fixed_at_creation_and_sources_must_exist(each: Driver) -> None:
    await each.prepare()
    await each.refused(400, "POST", DATASET, {"dataset": {"has_sentiment": False}})
    message = await each.refused(422, "POST", DATASET, {"dataset": {"source_ids": ["0123456789abcdef"]}})
    assert message == "source id:0123456789abcdef not found"
    await each.refused(400, "POST", DATASET, {"dataset": {"source_ids": ["0123456789ABCDEF"]}})


@pytest.mark.parametrize("by_id", [False, True])
async def test_a_dataset_is_deleted_by_either_name(each: Driver, by_id: bool) -> None:
    await each.prepare()
    dataset = (await each.ok("GET", DATASET))["dataset"]
    path = f"/api/v1/datasets/id:{dataset['id']}" if by_id else DATASET
    await each.ok("DELETE", path)
    await each.refused(404, "DELETE", path)
    assert (await each.ok("GET", SOURCE))["source"]["id"] == each.source_id


async def test_copied_labels_are_those_of_common_sources(each: Driver) -> None:
    await each.prepare()
    await each.upload([comment("aa"), comment("bb"), comment("cc")])
    await each.annotate({"aa": [{"name": ["A"]}], "bb": [{"name": ["B"]}], "cc": []})
    origin = (await each.ok("GET", DATASET))["dataset"]["id"]
    other = (await each.ok("PUT", "/api/v1/sources/org1/other", {"source": {}}))["source"]["id"]
    for name, source, examples in (("same", each.source_id, 3), ("apart", other, 0)):
        body = {"dataset": {"source_ids": [source], "copy_labels_from": origin}}
        await each.ok("PUT", f"/api/v1/datasets/org1/{name}", body)
        response = await each.send("POST", f"/_sandbox/datasets/org1/{name}/train")
        assert (response.json().get("model") or {"examples": 0})["examples"] == examples
