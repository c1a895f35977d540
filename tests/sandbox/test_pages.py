"""Pages of a trigger: order, position ids, filters, ends (fact sheet sections 2.3 to 2.7, traps 20 to 25)."""

from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox.positions import decode_position
from tests.sandbox.driver import DATASET, SOURCE, START_MS, Driver, FixedClock, comment, mails

TRIGGER = f"{DATASET}/triggers/dispute"
STREAM = f"{DATASET}/streams/dispute"
EVEN = {"user_properties": {"number:even": {"one_of": [1]}}}


def numbered(count: int) -> list[dict[str, Any]]:
    return [comment(f"{index:04x}", user_properties={"number:even": 1 - index % 2}) for index in range(count)]


async def uids_in_order(driver: Driver, size: int = 7) -> list[str]:
    """All that comes when a consumer advances page by page."""
    found: list[str] = []
    while True:
        page = await driver.fetch(size)
        found += [result["comment"]["uid"] for result in page["results"]]
        if not page["results"] and not page["filtered"]:
            return found
        await driver.advance(page["sequence_id"])


async def test_fetch_is_fifo_by_upload_and_does_not_move(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger()
    await each.upload(mails(3, first=10))
    await each.upload(mails(3))
    page = await each.fetch()
    ids = [result["comment"]["id"] for result in page["results"]]
    assert sorted(ids[:3]) == ["000a", "000b", "000c"]
    assert sorted(ids[3:]) == ["0000", "0001", "0002"]
    assert await each.fetch() == page
    shorter = await each.fetch(2)
    assert shorter["results"] == page["results"][:2]
    assert shorter["sequence_id"] == page["results"][1]["sequence_id"]


async def test_sequence_ids_have_the_platforms_form(each: Driver) -> None:
    """Upload millisecond, little endian, and 16 bytes: comments of one upload share the first part (trap 25)."""
    await each.prepare()
    await each.create_trigger()
    await each.upload(mails(20))
    page = await each.fetch()
    ids = [result["sequence_id"] for result in page["results"]]
    assert len(set(ids)) == 20
    positions = [decode_position(each_id) for each_id in ids]
    assert positions == sorted(positions)
    assert {position.ms for position in positions} == {START_MS}
    assert {len(position.tie) for position in positions} == {16}
    assert {each_id[:10] for each_id in ids} == {"qs8QcHIBAA"}
    assert page["sequence_id"] == ids[-1]


async def test_two_uploads_never_share_a_millisecond(each: Driver) -> None:
    """Else a later upload could sort behind a position that has passed; deleting the latest changes nothing."""
    await each.prepare()
    await each.create_trigger()
    for index in range(30):
        await each.upload([comment(f"{index:x}")])
        page = await each.fetch()
        assert len(page["results"]) == 1
        await each.advance(page["sequence_id"])
        await each.ok("DELETE", f"{SOURCE}/comments?ids={index:x}")


async def test_filtered_comments_count_towards_size(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger(comment_filter=EVEN)
    await each.upload(numbered(40))
    page = await each.fetch(8)
    assert len(page["results"]) + page["filtered"] == 8
    everything = await each.expected()
    assert len(everything) == 20
    assert sorted(await uids_in_order(each)) == sorted(line["uid"] for line in everything)


async def test_max_filtered_comments_do_not_count(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger(comment_filter=EVEN)
    await each.upload(numbered(40))
    full = await each.fetch(8, max_filtered=1024)
    assert len(full["results"]) == 8
    some = await each.fetch(8, max_filtered=3)
    # Now and then the first eight that pass have fewer than three others between them.
    assert len(some["results"]) + max(0, some["filtered"] - 3) == 8
    assert [result["sequence_id"] for result in some["results"]] == [
        result["sequence_id"] for result in full["results"][: len(some["results"])]
    ]


async def test_max_filtered_has_no_effect_without_a_filter(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger()
    await each.upload(mails(10))
    page = await each.fetch(4, max_filtered=5)
    assert (len(page["results"]), page["filtered"]) == (4, 0)


async def test_the_batch_id_lies_past_trailing_filtered_comments(each: Driver) -> None:
    """Traps 20 and 21: an empty page is not the end, and per-comment ids alone leave a tail."""
    await each.prepare()
    await each.create_trigger(comment_filter={"user_properties": {"number:even": {"one_of": [7]}}})
    await each.upload(numbered(5))
    page = await each.fetch(3)
    assert (page["results"], page["filtered"]) == ([], 3)
    assert (await each.fetch(3)) == page
    await each.advance(page["sequence_id"])
    assert (await each.fetch(3))["filtered"] == 2


async def test_the_end_marker_is_true_when_nothing_waits_behind_the_page(today: Driver) -> None:
    await today.prepare()
    await today.create_trigger()
    await today.upload(mails(4))
    assert (await today.fetch(3))["is_end_sequence"] is False
    assert (await today.fetch(4))["is_end_sequence"] is True
    answer = await today.ok("GET", f"{STREAM}/results?max_results=3")
    assert (answer["more_results"], answer["num_filtered"], len(answer["results"])) == (True, 0, 3)
    assert answer["continuation"] == answer["results"][-1]["continuation"]


@pytest.mark.parametrize("size", [1, 1024])
async def test_sizes_at_the_limits_pass(each: Driver, size: int) -> None:
    await each.prepare()
    await each.create_trigger()
    await each.fetch(size, max_filtered=size)
    await each.ok("GET", f"{STREAM}/results?max_results={size}&max_filtered={size}")


@pytest.mark.parametrize("size", [0, 1025, -1, 1.5, "eight", None])
async def test_sizes_past_the_limits_are_refused(each: Driver, size: object) -> None:
    await each.prepare()
    await each.create_trigger()
    await each.refused(400, "POST", f"{TRIGGER}/fetch", {"size": size})
    await each.refused(400, "POST", f"{TRIGGER}/fetch", {"size": 1, "max_filtered": size})
    await each.refused(400, "GET", f"{STREAM}/results?max_results={size}")
    await each.refused(400, "GET", f"{STREAM}/results?max_filtered={size}")


async def test_a_page_spans_the_sources_of_the_dataset_in_upload_order(each: Driver) -> None:
    await each.prepare()
    other = (await each.ok("PUT", "/api/v1/sources/org1/other", {"source": {}}))["source"]["id"]
    await each.ok("POST", DATASET, {"dataset": {"source_ids": [each.source_id, other]}})
    await each.create_trigger()
    for index in range(6):
        await each.ok(
            "POST",
            f"/api/v1/sources/org1/{'mail' if index % 2 else 'other'}/sync",
            {"comments": [comment(f"{index:x}")]},
        )
    assert [result["comment"]["id"] for result in (await each.fetch())["results"]] == list("012345")
    assert [uid.partition(".")[2] for uid in await uids_in_order(each, size=2)] == list("012345")


async def test_a_resynced_comment_keeps_its_place_and_shows_its_new_text(each: Driver) -> None:
    """Trap 24."""
    await each.prepare()
    await each.create_trigger()
    await each.upload(mails(3))
    before = (await each.fetch())["results"]
    changed = comment(before[1]["comment"]["id"], "Another text")
    await each.upload([changed])
    after = (await each.fetch())["results"]
    assert [result["sequence_id"] for result in after] == [result["sequence_id"] for result in before]
    assert after[1]["comment"]["messages"] == changed["messages"]


async def test_a_changed_text_comes_again_by_setting(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "r.sqlite", FixedClock(), redeliver_changed=True)
    await driver.prepare()
    await driver.create_trigger()
    await driver.upload(mails(3))
    first = await driver.fetch()
    await driver.advance(first["sequence_id"])
    await driver.upload([comment("0001", "Another text"), comment("0000", mails(1)[0]["messages"][0]["body"]["text"])])
    again = (await driver.fetch())["results"]
    assert [result["comment"]["id"] for result in again] == ["0001"]
    assert again[0]["sequence_id"] not in {result["sequence_id"] for result in first["results"]}
    await driver.close()


async def test_a_deleted_comment_leaves_the_pending_page(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger()
    await each.upload(mails(3))
    page = await each.fetch()
    gone = page["results"][1]
    await each.ok("DELETE", f"{SOURCE}/comments?ids={gone['comment']['id']}")
    assert [result for result in page["results"] if result != gone] == (await each.fetch())["results"]
    await each.advance(gone["sequence_id"])
    assert (await each.fetch())["results"] == page["results"][2:]


async def test_a_page_is_found_by_index_and_never_by_a_scan(each: Driver) -> None:
    await each.prepare()
    await each.create_trigger(comment_filter=EVEN)
    await each.upload(numbered(10))
    await each.advance((await each.fetch(5))["sequence_id"])
    statements: list[str] = []
    each.box.db.set_trace_callback(statements.append)
    await each.fetch(3)
    each.box.db.set_trace_callback(None)
    plans = [
        step
        for statement in statements
        if "comments" in statement
        for (_, _, _, step) in each.box.db.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]
    assert any("COVERING INDEX comments_in_order (source=? AND (at_ms,tie)>(?,?))" in step for step in plans)
    assert not [step for step in plans if step.startswith(("SCAN c", "SCAN a", "SCAN p", "SCAN e"))]
