"""Annotation, training, pinning, and what pinned models put into results."""

import asyncio
import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.sandbox.learning.model import load_model, unpack
from bridge.sandbox.learning.train import Example, train
from tests.sandbox.driver import DATASET, SOURCE, Driver, FixedClock, comment, mail_labels, mails

MODELS = "/_sandbox/datasets/org1/collateral/models"
TRAIN = "/_sandbox/datasets/org1/collateral/train"
DATA = Path(__file__).parents[3] / "shared" / "data"


async def teach(driver: Driver, count: int = 40, **dataset: Any) -> int:
    """A dataset with a pinned model of the two kinds of mail; returns the version."""
    await driver.prepare(**dataset)
    await driver.upload(mails(count))
    await driver.annotate(mail_labels(count))
    return await driver.train_and_pin()


def names(result: dict[str, Any]) -> list[list[str]]:
    return [label["name"] for label in result["labels"]]


async def test_versions_count_up_and_unpinned_ones_give_way(each: Driver) -> None:
    assert await teach(each) == 0
    for version in (1, 2):
        assert (await each.ok("POST", TRAIN))["model"]["version"] == version
    listed = (await each.ok("GET", MODELS))["models"]
    assert [(model["version"], model["pinned_at"] is not None) for model in listed] == [(0, True), (2, False)]


async def test_pinning_twice_keeps_the_first_time(each: Driver) -> None:
    await teach(each)
    first = (await each.ok("GET", MODELS))["models"]
    each.clock.at_ms += 1000
    await each.ok("POST", f"{MODELS}/0/pin")
    assert (await each.ok("GET", MODELS))["models"] == first
    await each.refused(404, "POST", f"{MODELS}/7/pin")
    await each.refused(404, "POST", f"{MODELS}/x/pin")


async def test_a_trigger_takes_pinned_versions_only(each: Driver) -> None:
    await teach(each)
    await each.ok("POST", TRAIN)
    for version in (1, 9):
        body = {"trigger": {"name": "t", "model": {"version": version}}}
        assert "not a pinned version" in await each.refused(422, "PUT", f"{DATASET}/triggers", body)
    for wrong in (-1, "0", None):
        body = {"trigger": {"name": "t", "model": {"version": wrong}}}
        await each.refused(400, "PUT", f"{DATASET}/triggers", body)
    made = await each.create_trigger(model={"version": 0.0})
    assert made["model"]["version"] == 0


async def test_predictions_are_right_sorted_and_include_parents(each: Driver) -> None:
    version = await teach(each)
    await each.create_trigger(model={"version": version})
    await each.upload(mails(10, first=100))
    results = (await each.fetch())["results"]
    assert len(results) == 50
    for result in results:
        odd = int(result["comment"]["id"], 16) % 2
        expected = [["Fee"], ["Fee", "Refund"]] if odd else [["Trade"], ["Trade", "Settlement"]]
        assert sorted(names(result)[:2]) == expected
        probabilities = [label["probability"] for label in result["labels"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert min(probabilities) >= 0.05
        assert max(probabilities) <= 1
        assert (result["labels"][0]["sentiment"] > 0) is bool(odd)
    assert [line["labels"] for line in await each.expected()] == [result["labels"] for result in results]


async def test_sentiment_is_absent_where_the_dataset_has_none(each: Driver) -> None:
    version = await teach(each, has_sentiment=False)
    await each.create_trigger(model={"version": version})
    assert set((await each.fetch(1))["results"][0]["labels"][0]) == {"name", "probability"}


async def test_thresholds_are_an_allow_list_and_a_cut(each: Driver) -> None:
    """Trap 19: a comment whose labels are all dropped still comes, with an empty list."""
    version = await teach(each)
    wide = (await each.create_trigger("wide", model={"version": version}))["name"]
    chances = sorted(
        label["probability"]
        for result in (await each.fetch(name=wide))["results"]
        for label in result["labels"]
        if label["name"] == ["Fee", "Refund"]
    )
    # Nearly alike mails may have the very same probability, so that a cut above one may leave none.
    above = np.nextafter(np.float32(chances[0]), np.float32(2)).item()
    for cut, left in ((chances[0], chances), (above, [chance for chance in chances if chance > chances[0]])):
        thresholds = [{"name": ["Fee", "Refund"], "threshold": cut}, {"name": ["No such"], "threshold": 0}]
        body = {"trigger": {"name": "dispute", "model": {"version": version, "label_thresholds": thresholds}}}
        await each.send("DELETE", f"{DATASET}/triggers/dispute")
        await each.ok("PUT", f"{DATASET}/triggers", body)
        results = (await each.fetch())["results"]
        assert len(results) == 40
        listed = [label for result in results for label in result["labels"]]
        assert all(label["name"] == ["Fee", "Refund"] for label in listed)
        assert sorted(label["probability"] for label in listed) == left
        assert [] in [result["labels"] for result in results]


async def test_a_threshold_under_the_floor_lets_more_through(each: Driver) -> None:
    version = await teach(each)
    low = [{"name": ["Fee", "Refund"], "threshold": 0.001}]
    await each.create_trigger(model={"version": version, "label_thresholds": low})
    chances = [label["probability"] for result in (await each.fetch())["results"] for label in result["labels"]]
    assert min(chances) < 0.05


async def test_results_name_the_labels_as_text_and_say_which_passed(today: Driver) -> None:
    version = await teach(today, entity_kinds=["email"])
    await today.upload([comment("ffff", "The trade has not settled, write to ops@example.com")])
    thresholds = [{"name": ["Trade", "Settlement"], "threshold": 0.5}]
    await today.create_trigger(model={"version": version, "label_thresholds": thresholds})
    answer = await today.ok("GET", f"{DATASET}/streams/dispute/results?max_results=1024")
    assert answer["model"] == {"version": version}
    last = next(each for each in answer["results"] if each["comment"]["id"] == "ffff")
    (taxonomy,) = last["prediction"]["taxonomies"]
    passed = {label["name"] for label in taxonomy["labels"] if "stream" in label["occurrence_confidence"]["thresholds"]}
    assert passed == {"Trade > Settlement"}
    assert "Trade" in {label["name"] for label in taxonomy["labels"]}
    assert [field["value"]["formatted"] for field in taxonomy["general_fields"]] == ["ops@example.com"]


async def test_entities_have_the_form_of_their_profile(today: Driver, y2020: Driver) -> None:
    for driver in (today, y2020):
        version = await teach(driver, entity_kinds=["monetary-quantity"])
        await driver.upload([comment("ffff", "Fee of $1M, see a@b.example")])
        await driver.create_trigger(model={"version": version})
    new = (await today.fetch())["results"][-1]["entities"]
    old = (await y2020.fetch())["results"][-1]["entities"]
    span = {"content_part": "body", "message_index": 0, "utf16_byte_start": 14, "utf16_byte_end": 20}
    assert old == [{"kind": "monetary-quantity", "formatted_value": "$1,000,000.00", "span": span}]
    (entity,) = new
    assert entity["spans"] == [entity["span"]] == [{**span, "char_start": 7, "char_end": 10}]
    assert {"id", "name", "kind", "formatted_value", "probability", "capture_ids"} <= set(entity)


async def test_entities_are_off_until_the_dataset_asks_for_them(each: Driver) -> None:
    version = await teach(each)
    await each.upload([comment("ffff", "a@b.example")])
    await each.create_trigger(model={"version": version})
    assert (await each.fetch())["results"][-1]["entities"] == []
    await each.ok("POST", DATASET, {"dataset": {"entity_kinds": ["email"]}})
    assert (await each.fetch())["results"][-1]["entities"][0]["formatted_value"] == "a@b.example"


async def test_the_same_request_has_the_same_bytes_cold_warm_and_after_a_restart(tmp_path: Path) -> None:
    clock = FixedClock()
    first = Driver(tmp_path / "m.sqlite", clock)
    version = await teach(first)
    await first.upload(mails(300, first=1000))
    await first.create_trigger(model={"version": version})
    page = {"size": 1024}
    pages = [(await first.send("POST", f"{DATASET}/triggers/dispute/fetch", page)).content for _ in range(2)]
    first.box.db.execute("DELETE FROM predictions")
    await first.close()
    second = Driver(tmp_path / "m.sqlite", clock)
    await second.fetch(13)
    pages.append((await second.send("POST", f"{DATASET}/triggers/dispute/fetch", page)).content)
    await second.close()
    assert len(set(pages)) == 1
    assert len(json.loads(pages[0])["results"]) == 340


async def test_a_pinned_version_does_not_change_when_more_is_taught(each: Driver) -> None:
    version = await teach(each)
    await each.create_trigger(model={"version": version})
    before = [result["labels"] for result in (await each.fetch())["results"]]
    await each.annotate({f"{index:04x}": [{"name": ["Other"]}] for index in range(40)})
    newer = await each.train_and_pin()
    each.box.db.execute("DELETE FROM predictions")
    assert [result["labels"] for result in (await each.fetch())["results"]] == before
    await each.ok("POST", f"{DATASET}/triggers/dispute", {"trigger": {"model": {"version": newer}}})
    assert names((await each.fetch(1))["results"][0]) == [["Other"]]


async def test_a_changed_text_is_predicted_anew(each: Driver) -> None:
    version = await teach(each)
    await each.create_trigger(model={"version": version})
    first = (await each.fetch(1))["results"][0]
    index = int(first["comment"]["id"], 16)
    other = mails(1, first=index + 1)[0]["messages"][0]["body"]["text"]
    await each.upload([comment(first["comment"]["id"], other)])
    assert names((await each.fetch(1))["results"][0])[0] != names(first)[0]
    comment_row = each.box.db.execute("SELECT count(*) FROM predictions").fetchone()
    assert comment_row == (1,), "what was kept for the old text is gone"


async def test_a_comment_of_many_long_messages_or_none_is_predicted(today: Driver) -> None:
    """Two megabytes of text in one comment, an empty text, no message at all."""
    version = await teach(today)
    await today.create_trigger(model={"version": version})
    long = {"body": {"text": "settlement failed 1,000 " * 2600}}
    await today.upload([comment("e0", messages=[long] * 33), comment("e1", ""), comment("e2", messages=[])])
    results = {result["comment"]["id"]: result for result in (await today.fetch())["results"]}
    assert names(results["e0"])[0] == ["Trade"]
    assert len(json.dumps(results["e0"]["comment"])) > 2_000_000
    assert {"labels", "entities"} <= set(results["e1"]) & set(results["e2"])


async def test_predictions_are_made_ahead_in_the_background(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "w.sqlite", FixedClock(), warm=True)
    version = await teach(driver)
    await driver.create_trigger(model={"version": version})
    await driver.upload(mails(300, first=1000))
    await driver.ok("POST", "/_sandbox/warm")
    assert driver.box.db.execute("SELECT count(*) FROM predictions").fetchone() == (340,)
    await driver.close()


async def test_a_dataset_may_go_while_it_is_predicted_ahead(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    driver = Driver(tmp_path / "g.sqlite", FixedClock(), warm=True)
    version = await teach(driver)
    await driver.upload(mails(400, first=1000))
    await driver.create_trigger(model={"version": version})
    driver.box.predictor._loaded.clear()
    await driver.ok("DELETE", DATASET)
    await driver.box.warmer.settled()
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    await driver.close()


async def test_other_requests_are_served_while_a_model_trains(today: Driver) -> None:
    """The order of the answers proves it: the health check, asked later, answers before the training."""
    await teach(today, count=200)
    order: list[str] = []

    async def ask(method: str, path: str) -> None:
        await today.ok(method, path)
        order.append(path)

    async with asyncio.TaskGroup() as group:
        group.create_task(ask("POST", TRAIN))
        group.create_task(ask("GET", "/_sandbox/health"))
    assert order == ["/_sandbox/health", TRAIN]


@pytest.mark.parametrize("labels", [{}, {"0000": [], "0001": [], "0002": []}, {"0000": [{"name": "A"}]}])
async def test_training_on_too_little_is_refused(each: Driver, labels: dict[str, Any]) -> None:
    await each.prepare()
    await each.upload(mails(3))
    await each.annotate(labels)
    assert "training failed" in await each.refused(422, "POST", TRAIN)


async def test_training_on_texts_without_words_is_refused(each: Driver) -> None:
    await each.prepare()
    await each.upload([comment(f"{index}", "...") for index in range(4)])
    await each.annotate({f"{index}": [{"name": "A"}] for index in range(4)})
    await each.refused(422, "POST", TRAIN)


async def test_annotating_what_is_not_there_is_404_and_keeps_nothing(each: Driver) -> None:
    await each.prepare()
    await each.upload(mails(1))
    labels = [{"name": "A"}]
    body = {"annotations": [{"comment_uid": f"{each.source_id}.{key}", "labels": labels} for key in ("0000", "nope")]}
    await each.refused(404, "POST", f"{DATASET}/sync-annotations", body)
    assert each.box.db.execute("SELECT count(*) FROM annotations").fetchone() == (0,)


async def test_the_private_labelling_route_annotates_too(today: Driver) -> None:
    await today.prepare()
    await today.upload(mails(1))
    uid = f"{today.source_id}.0000"
    body = {"labelling": {"assigned": [{"name": "A > B", "sentiment": "positive"}]}}
    await today.ok("POST", f"/api/_private/datasets/org1/collateral/labellings/{uid}", body)
    assert [each["name"] for each in (await today.ok("GET", DATASET))["dataset"]["label_defs"]] == ["A", "A > B"]
    assert (await today.ok("GET", f"{SOURCE}/comments/0000"))["comment"]["has_annotations"] is True


def test_training_is_repeatable_to_the_byte() -> None:
    examples = [
        Example(
            text=mail["messages"][0]["body"]["text"], labels=frozenset({("A",) if index % 2 else ("B", "C")}), mood=None
        )
        for index, mail in enumerate(mails(60))
    ]
    first, second = train(examples).model, train(examples).model
    assert first.to_bytes() == second.to_bytes()
    loaded = load_model(first.to_bytes())
    texts = [example.text for example in examples]
    assert loaded.predict(texts) == first.predict(texts)
    assert loaded.predict(texts) == [packed for text in texts for packed in loaded.predict([text])]


def test_a_label_on_every_example_is_learnt() -> None:
    examples = [
        Example(text=f"mail number {n}", labels=frozenset({("All",), (str(n % 2),)}), mood=None) for n in range(12)
    ]
    model = train(examples).model
    packed = model.predict(["mail number 3"])[0]
    chances = {model.labels[index]: chance for index, chance, _ in unpack(packed)}
    assert chances[("All",)] > 0.9


def calibration_error(chances: Any, hits: Any) -> float:
    """Expected calibration error over ten bins, of predictions a consumer gets to see (0.05 and up)."""
    seen = chances >= 0.05
    chances, hits = chances[seen], hits[seen]
    bins = np.minimum((chances * 10).astype(int), 9)
    gaps = [abs(chances[bins == b].mean() - hits[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist())]
    return float(sum(gaps))


def judge(examples: list[Example], learnt: int) -> tuple[float, float, float]:
    """Top-1 accuracy, micro-F1 at one half and calibration error on what was held back."""
    model = train(examples[:learnt]).model
    held = examples[learnt:]
    chances = np.zeros((len(held), len(model.labels)))
    for row, packed in enumerate(model.predict([example.text for example in held])):
        for column, chance, _ in unpack(packed):
            chances[row, column] = chance
    hits = np.array([[path in example.labels for path in model.labels] for example in held])
    top = hits[np.arange(len(held)), chances.argmax(axis=1)].mean()
    decided = chances >= 0.5
    f1 = 2 * (decided & hits).sum() / (decided.sum() + hits.sum())
    return float(top), float(f1), calibration_error(chances.ravel(), hits.ravel())


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared real data are not on this machine")
def test_quality_on_real_queries_of_77_intents() -> None:
    with (DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    examples = [Example(text=row["text"], labels=frozenset({(row["category"],)}), mood=None) for row in rows]
    random.Random(77).shuffle(examples)
    top, _, error = judge(examples, int(0.8 * len(examples)))
    assert top >= 0.83
    assert error < 0.08


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared real data are not on this machine")
def test_quality_on_real_utterances_of_several_intents() -> None:
    rows = [row for path in sorted((DATA / "nlupp").glob("banking-*.json")) for row in json.loads(path.read_bytes())]
    examples = [
        Example(text=row["text"], labels=frozenset((intent,) for intent in row.get("intents", [])), mood=None)
        for row in rows
    ]
    random.Random(5).shuffle(examples)
    _, f1, error = judge(examples, int(0.8 * len(examples)))
    assert f1 >= 0.70
    assert error < 0.08
