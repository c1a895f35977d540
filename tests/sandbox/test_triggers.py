"""Triggers and streams: fact sheet section 2, and the traps of section 9 that a server must set."""

from pathlib import Path

import pytest

from bridge.sandbox.positions import decode_position, encode_position
from bridge.sandbox.settings import StaleAdvance, StartAt
from tests.sandbox.driver import DATASET, START_MS, Driver, FixedClock, comment, mails

TRIGGER = f"{DATASET}/triggers/dispute"
STREAM = f"{DATASET}/streams/dispute"
EVEN = {"user_properties": {"number:even": {"one_of": [1]}}}


async def test_the_answer_has_the_shape_of_2020(y2020: Driver) -> None:
    await y2020.prepare()
    made = await y2020.create_trigger(title="Disputes", comment_filter=EVEN)
    assert set(made) == {"id", "dataset_id", "name", "title", "description", "created_at", "updated_at"}
    page = await y2020.fetch()
    assert set(page) == {"status", "filtered", "sequence_id", "results"}


async def test_todays_answer_has_what_the_vendor_client_needs(today: Driver) -> None:
    await today.prepare()
    made = await today.create_trigger(comment_filter=EVEN)
    assert made["comment_filter"] == EVEN
    assert made["updated_at"] is not None
    assert (await today.fetch())["is_end_sequence"] is True


async def test_both_spellings_answer_over_one_state_with_their_own_keys(each: Driver) -> None:
    await each.prepare()
    made = (await each.ok("PUT", f"{DATASET}/streams", {"stream": {"name": "dispute"}}))["stream"]
    assert (await each.ok("GET", TRIGGER))["trigger"] == made == (await each.ok("GET", STREAM))["stream"]
    assert (await each.ok("GET", f"{DATASET}/triggers"))["triggers"] == [made]
    assert (await each.ok("GET", f"{DATASET}/streams"))["streams"] == [made]
    await each.refused(400, "PUT", f"{DATASET}/streams", {"trigger": {"name": "other"}})
    assert "stream" in await each.refused(404, "GET", f"{DATASET}/streams/other")
    await each.ok("DELETE", TRIGGER)
    await each.refused(404, "DELETE", STREAM)


async def test_results_exists_for_streams_only(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger()
    assert await each.refused(404, "GET", f"{TRIGGER}/results") == "404 Not Found"
    early = STREAM.replace("/v1/", "/preview/")
    assert await each.ok("GET", f"{early}/results") == await each.ok("GET", f"{STREAM}/results")


async def test_put_on_a_name_that_is_there_updates_today_and_conflicts_in_2020(today: Driver, y2020: Driver) -> None:
    for driver in (today, y2020):
        await driver.prepare()
        await driver.upload(mails(2))
        await driver.create_trigger(title="one")
        await driver.advance((await driver.fetch(1))["sequence_id"])
    again = await today.create_trigger(title="two")
    assert again["title"] == "two"
    assert len((await today.fetch())["results"]) == 1, "an update leaves the position alone"
    await y2020.refused(409, "PUT", f"{DATASET}/triggers", {"trigger": {"name": "dispute"}})


async def test_update_changes_what_it_names(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger(title="one", description="d")
    changed = (await each.ok("POST", STREAM, {"stream": {"title": "two"}}))["stream"]
    assert (changed["title"], changed["description"]) == ("two", "d")
    assert changed["updated_at"] > changed["created_at"]
    await each.refused(400, "POST", STREAM, {"stream": {"name": "renamed"}})


async def test_advance_to_one_comment_resumes_after_it(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger()
    await each.upload(mails(5))
    page = await each.fetch()
    answer = await each.ok("POST", f"{TRIGGER}/advance", {"sequence_id": page["results"][1]["sequence_id"]})
    assert answer == {"status": "ok", "sequence_id": page["results"][1]["sequence_id"]}
    await each.advance(page["results"][1]["sequence_id"])
    assert (await each.fetch())["results"] == page["results"][2:]


async def test_a_stale_advance_moves_the_position_back(each: Driver) -> None:
    """Trap 26: nothing fences a late consumer."""
    await each.prepare()
    await each.create_trigger()
    await each.upload(mails(5))
    page = await each.fetch()
    await each.advance(page["sequence_id"])
    await each.advance(page["results"][0]["sequence_id"])
    assert (await each.fetch())["results"] == page["results"][1:]


async def test_a_stale_advance_can_be_refused_by_setting(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "s.sqlite", FixedClock(), stale_advance=StaleAdvance.REFUSED)
    await driver.prepare()
    await driver.create_trigger()
    await driver.upload(mails(2))
    page = await driver.fetch()
    await driver.advance(page["sequence_id"])
    await driver.advance(page["sequence_id"])
    await driver.refused(400, "POST", f"{TRIGGER}/advance", {"sequence_id": page["results"][0]["sequence_id"]})
    await driver.close()


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "x",
        "qs8QcHIBAAA",
        "qs8QcHIBAACuYzDeit-pwQdWGYGQImd",
        "qs8QcHIBAACuYzDeit+pwQdWGYGQImdy",
        "4LvtenIBAAB=",
        "é",
    ],
)
async def test_a_garbage_sequence_id_is_400(each: Driver, garbage: str) -> None:
    await each.prepare()
    await each.create_trigger()
    await each.refused(400, "POST", f"{TRIGGER}/advance", {"sequence_id": garbage})


async def test_a_new_trigger_starts_at_the_beginning_of_the_data(each: Driver) -> None:
    await each.prepare()
    await each.upload(mails(3))
    await each.create_trigger()
    assert len((await each.fetch())["results"]) == 3


async def test_or_at_its_creation_by_setting(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "n.sqlite", FixedClock(), start_at=StartAt.NOW)
    await driver.prepare()
    await driver.upload(mails(3))
    driver.clock.at_ms += 1
    await driver.create_trigger()
    assert (await driver.fetch())["results"] == []
    await driver.upload(mails(2, first=3))
    assert len((await driver.fetch())["results"]) == 2
    await driver.close()


async def test_reset_is_inclusive_at_the_millisecond_and_reads_no_zone_as_utc(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger()
    for index in range(3):
        each.clock.at_ms = START_MS + index * 1000
        await each.upload([comment(f"{index:x}")])
    await each.advance((await each.fetch())["sequence_id"])
    for text, remaining in (
        ("2020-06-01T13:27:30.450", 2),
        ("2020-06-01T15:27:30.450999+02:00", 2),
        ("2020-06-01T13:27:30.451Z", 1),
        ("2020-06-01", 3),
        ("2030-01-01", 0),
    ):
        answer = await each.ok("POST", f"{TRIGGER}/reset", {"to_comment_created_at": text})
        assert answer["trigger"]["name"] == "dispute"
        assert len((await each.fetch())["results"]) == remaining, text


async def test_a_reset_position_has_no_tiebreak(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger()
    answer = await each.ok("POST", f"{STREAM}/reset", {"to_comment_created_at": "2020-06-03T16:05:00"})
    assert answer["sequence_id"] == "4LvtenIBAAA="
    assert answer["stream"]["name"] == "dispute"
    assert (await each.fetch())["sequence_id"] == "4LvtenIBAAA="


async def test_without_a_model_results_carry_no_predictions(each: Driver) -> None:
    """Trap 18."""
    await each.prepare()
    await each.create_trigger()
    await each.upload(mails(1))
    assert set((await each.fetch())["results"][0]) == {"comment", "sequence_id"}
    assert "prediction" not in (await each.ok("GET", f"{STREAM}/results"))["results"][0]


async def test_names_of_triggers_pass_at_their_limit_and_not_past_it(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger("n" * 256)
    for name in ("n" * 257, "", "a.b", "a b"):
        await each.refused(400, "PUT", f"{DATASET}/triggers", {"trigger": {"name": name}})
    await each.refused(400, "PUT", f"{DATASET}/triggers", {"trigger": {}})


async def test_label_names_have_at_most_64_levels_of_64_characters(each: Driver) -> None:
    """The shape passes at the limit (the version is then not pinned: 422) and not past it."""
    await each.prepare()

    async def status(name: list[str], threshold: float = 0.5, count: int = 1) -> int:
        thresholds = [{"name": name, "threshold": threshold}] * count
        body = {"trigger": {"name": "t", "model": {"version": 0, "label_thresholds": thresholds}}}
        return (await each.send("PUT", f"{DATASET}/triggers", body)).status_code

    assert await status(["x" * 64] * 64) == 422
    assert await status(["x"] * 65) == 400
    assert await status(["x" * 65]) == 400
    assert await status([]) == 400
    assert await status(["x"], threshold=1) == 422
    assert await status(["x"], threshold=1.01) == 400
    assert await status(["x"], count=4096) == 422
    assert await status(["x"], count=4097) == 400
    assert await status(["x"], count=0) == 400


async def test_exceptions_are_tagged_untagged_and_do_not_move_the_position(today: Driver) -> None:
    await today.prepare()
    await today.upload(mails(3))
    await today.create_trigger()
    await today.create_trigger(
        "clean", comment_filter={"trigger_exceptions": {"dispute": {"not_one_of": ["Wrong Prediction"]}}}
    )
    uid = f"{today.source_id}.0001"
    body = {"exceptions": [{"uid": uid, "metadata": {"type": "Wrong Prediction"}}]}
    before = await today.fetch()
    assert await today.ok("PUT", f"{STREAM}/exceptions", body) == {"status": "ok"}
    assert await today.fetch() == before
    assert uid not in {result["comment"]["uid"] for result in (await today.fetch(name="clean"))["results"]}
    await today.ok("DELETE", f"{STREAM}/exceptions?uid={uid}&uid={today.source_id}.0002")
    assert len((await today.fetch(name="clean"))["results"]) == 3
    await today.refused(404, "PUT", f"{STREAM}/exceptions", {"exceptions": [{"uid": "x.y", "metadata": {"type": "t"}}]})
    await today.refused(400, "DELETE", f"{STREAM}/exceptions")


async def test_missing_things_are_404_with_their_name(each: Driver) -> None:
    assert await each.refused(404, "POST", f"{TRIGGER}/fetch", {"size": 1}) == "dataset org1/collateral not found"
    await each.prepare()
    for action, body in (("fetch", {"size": 1}), ("advance", {"sequence_id": "4LvtenIBAAA="})):
        message = await each.refused(404, "POST", f"{TRIGGER}/{action}", body)
        assert message == "trigger org1/collateral/dispute not found"


async def test_the_position_route_counts_what_waits(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger()
    await each.upload(mails(5))
    await each.advance((await each.fetch(2))["sequence_id"])
    where = await each.ok("GET", "/_sandbox/datasets/org1/collateral/triggers/dispute/position")
    assert (where["passed"], where["waiting"]) == (2, 3)
    assert encode_position(decode_position(where["sequence_id"])) == where["sequence_id"]
