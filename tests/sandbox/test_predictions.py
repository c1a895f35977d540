"""The predict routes: thresholds, labels by name, versions, entities."""

from pathlib import Path
from typing import Any

from tests.sandbox.driver import DATASET, Driver, FixedClock, comment, mail_labels, mails

COUNT = 24
TRADE, SETTLEMENT, FEE, REFUND = ["Trade"], ["Trade", "Settlement"], ["Fee"], ["Fee", "Refund"]
TEXT = "The trade has not settled, settlement failed again"


async def trained(driver: Driver, **dataset: Any) -> int:
    await driver.prepare(**dataset)
    await driver.upload(mails(COUNT))
    await driver.annotate(mail_labels(COUNT))
    return await driver.train_and_pin()


def document(text: str = TEXT, **more: Any) -> dict[str, Any]:
    return {"messages": [{"body": {"text": text}}], **more}


async def predict(driver: Driver, version: int | str, *documents: dict[str, Any], **asked: Any) -> dict[str, Any]:
    body = {"documents": list(documents), **asked}
    return await driver.ok("POST", f"{DATASET}/labellers/{version}/predict", body)


def names(labels: list[dict[str, Any]]) -> list[list[str]]:
    return [label["name"] for label in labels]


async def test_a_list_of_labels_comes_for_each_document(each: Driver) -> None:
    version = await trained(each)
    answer = await predict(each, version, document(), document("refund the fee, this charge is wrong"), threshold=0.5)
    assert set(answer) == {"status", "model", "predictions"}
    assert answer["model"]["version"] == version
    first, second = answer["predictions"]
    assert (names(first), names(second)) == ([TRADE, SETTLEMENT], [FEE, REFUND])
    assert all(0.5 <= label["probability"] <= 1 and -1 <= label["sentiment"] <= 1 for label in first + second)


async def test_a_labels_own_threshold_wins_over_the_default(each: Driver) -> None:
    version = await trained(each)
    asked = [{"name": SETTLEMENT, "threshold": 1}, {"name": REFUND, "threshold": 0}, {"name": TRADE}]
    (labels,) = (await predict(each, version, document(), labels=asked, threshold=0.1))["predictions"]
    assert sorted(names(labels)) == [REFUND, TRADE]
    (labels,) = (await predict(each, version, document(), labels=asked, threshold=1))["predictions"]
    assert names(labels) == [REFUND]


async def test_threshold_zero_gives_every_label_and_none_given_means_a_quarter(each: Driver) -> None:
    version = await trained(each)
    (every,) = (await predict(each, version, document(), threshold=0))["predictions"]
    assert sorted(names(every)) == [FEE, REFUND, TRADE, SETTLEMENT]
    (usual,) = (await predict(each, version, document()))["predictions"]
    assert usual == [label for label in every if label["probability"] >= 0.25]


async def test_auto_says_which_cuts_a_label_reaches(today: Driver) -> None:
    version = await trained(today)
    (labels,) = (await predict(today, version, document(), threshold="auto"))["predictions"]
    assert [label["auto_thresholds"][0] for label in labels] == ["high_recall"] * 2


async def test_auto_is_unknown_in_2020(y2020: Driver) -> None:
    path = f"{DATASET}/labellers/0/predict"
    await y2020.refused(400, "POST", path, {"documents": [], "threshold": "auto"})


async def test_entities_come_only_where_the_dataset_has_kinds(each: Driver) -> None:
    version = await trained(each, entity_kinds=["email"])
    answer = await predict(each, version, document("Write to bob@example.com"), document("Nothing"))
    assert [[entity["formatted_value"] for entity in found] for found in answer["entities"]] == [
        ["bob@example.com"],
        [],
    ]


async def test_the_same_request_gives_the_same_bytes_whatever_else_is_asked_with_it(each: Driver) -> None:
    version = await trained(each)
    alone = await predict(each, version, document(), threshold=0)
    among = await predict(each, version, document("Other"), document(), threshold=0)
    assert alone["predictions"][0] == among["predictions"][1]


async def test_stored_comments_are_predicted_by_uid_from_any_source(each: Driver) -> None:
    version = await trained(each)
    other = await each.ok("PUT", "/api/v1/sources/org2/elsewhere", {"source": {}})
    await each.ok("POST", "/api/v1/sources/org2/elsewhere/sync", {"comments": [comment("0a", TEXT)]})
    uids = [f"{each.source_id}.0001", f"{other['source']['id']}.0a", f"{each.source_id}.0001"]
    answer = await each.ok("POST", f"{DATASET}/labellers/{version}/predict-comments", {"uids": uids})
    assert [prediction["uid"] for prediction in answer["predictions"]] == uids
    assert [names(prediction["labels"]) for prediction in answer["predictions"]] == [
        [FEE, REFUND],
        [TRADE, SETTLEMENT],
        [FEE, REFUND],
    ]
    assert all(prediction["entities"] == [] for prediction in answer["predictions"])


async def test_predictions_by_uid_are_those_of_the_trigger(today: Driver) -> None:
    version = await trained(today)
    await today.create_trigger(model={"version": version})
    results = (await today.fetch(size=4))["results"]
    uids = [result["comment"]["uid"] for result in results]
    body = {"uids": uids, "threshold": today.box.settings.label_floor}
    answer = await today.ok("POST", f"{DATASET}/labellers/{version}/predict-comments", body)
    assert [each["labels"] for each in answer["predictions"]] == [each["labels"] for each in results]


async def test_an_unknown_comment_is_not_found(each: Driver) -> None:
    version = await trained(each)
    message = await each.refused(404, "POST", f"{DATASET}/labellers/{version}/predict-comments", {"uids": ["a.b"]})
    assert message == "comment a.b not found"


async def test_only_pinned_versions_answer_and_live_is_the_newest(today: Driver) -> None:
    version = await trained(today)
    newer = await today.ok("POST", "/_sandbox/datasets/org1/collateral/train")
    assert (await predict(today, "live", document()))["model"]["version"] == newer["model"]["version"] == version + 1
    path = f"{DATASET}/labellers/{version + 1}/predict"
    await today.refused(422, "POST", path, {"documents": []})
    await today.refused(404, "POST", f"{DATASET}/labellers/newest/predict", {"documents": []})


async def test_live_is_unknown_in_2020(y2020: Driver) -> None:
    await trained(y2020)
    await y2020.refused(404, "POST", f"{DATASET}/labellers/live/predict", {"documents": []})


async def test_a_translation_without_its_language_is_refused(each: Driver) -> None:
    version = await trained(each)
    broken = {"messages": [{"body": {"text": "a", "translated_from": "b"}}]}
    message = await each.refused(400, "POST", f"{DATASET}/labellers/{version}/predict", {"documents": [broken]})
    assert "language" in message


async def test_a_pinned_version_says_the_same_after_newer_training_and_a_restart(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "kept.sqlite", FixedClock())
    version = await trained(driver)
    body = {"documents": [document(), document("refund")], "threshold": 0}
    path = f"{DATASET}/labellers/{version}/predict"
    before = (await driver.send("POST", path, body)).content
    await driver.annotate({"0000": [{"name": ["Else"]}], "0002": [{"name": ["Else"]}]})
    await driver.train_and_pin()
    assert (await driver.send("POST", path, body)).content == before
    await driver.close()
    driver = Driver(tmp_path / "kept.sqlite", FixedClock())
    assert (await driver.send("POST", path, body)).content == before
    await driver.close()
