"""Every row of the documents' tables but the triggers', by our client against the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.adapters.platform.resources import Asked, DatasetSpec, SourceSpec, SyncCounts, WantedLabel
from bridge.adapters.platform.upload import BATCH_COMMENTS, BadLine, mark_file, upload
from bridge.domain.errors import Blocked, Retry, StopTrigger
from tests.contract.platform.conftest import Town

SOURCE, DATASET = "org1/mail", "org1/collateral"
KINDS = ("The trade has not settled, settlement failed", "Please refund the fee, this charge is wrong")


def comment(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:04x}",
        "timestamp": "2020-05-01T10:00:00Z",
        "messages": [{"body": {"text": f"{KINDS[number % 2]} ({number})"}}],
    }


async def furnished(town: Town) -> str:
    """A source with comments, a dataset that is taught, a pinned version 0. Returns the source's id."""
    source = await town.platform.sources.create(SOURCE, SourceSpec())
    spec = DatasetSpec(source_ids=(source.id,), entity_kinds=("number",), has_sentiment=False)
    await town.platform.datasets.create(DATASET, spec)
    await town.platform.comments.sync(SOURCE, [comment(number) for number in range(20)])
    labels = (("Trade", "Settlement"), ("Fee",))
    await town.platform.labelling.annotate(
        DATASET, {f"{source.id}.{number:04x}": [labels[number % 2]] for number in range(20)}
    )
    await town.admin(f"datasets/{DATASET}/train")
    await town.admin(f"datasets/{DATASET}/models/0/pin")
    return source.id


async def test_a_source_is_created_found_changed_and_deleted(town: Town) -> None:
    sources = town.platform.sources
    made = await sources.create(SOURCE, SourceSpec(title="Mail", language="de", should_translate=True))
    assert (made.owner, made.name, made.title, made.language, made.should_translate) == (
        "org1",
        "mail",
        "Mail",
        "de",
        True,
    )
    assert await sources.get(SOURCE) == await sources.get(f"id:{made.id}") == made
    await sources.create("org2/chat", SourceSpec())
    assert [each.name for each in await sources.listing()] == ["mail", "chat"]
    assert [each.name for each in await sources.listing("org2")] == ["chat"]
    changed = await sources.update(SOURCE, SourceSpec(description="Shared"))
    assert (changed.id, changed.title, changed.description) == (made.id, "Mail", "Shared")
    await sources.delete(SOURCE)
    with pytest.raises(Blocked):
        await sources.get(SOURCE)


async def test_a_name_that_is_taken_is_a_conflict(town: Town) -> None:
    await town.platform.sources.create(SOURCE, SourceSpec())
    with pytest.raises(Retry) as raised:
        await town.platform.sources.create(SOURCE, SourceSpec())
    assert raised.value.code == "conflict"


async def test_a_dataset_is_created_found_changed_and_deleted(town: Town) -> None:
    source = await town.platform.sources.create(SOURCE, SourceSpec())
    datasets = town.platform.datasets
    made = await datasets.create(DATASET, DatasetSpec(source_ids=(source.id,), has_sentiment=True, title="Labels"))
    assert (made.source_ids, made.has_sentiment, made.title) == ((source.id,), True, "Labels")
    assert await datasets.get(DATASET) == made
    assert await datasets.listing() == await datasets.listing("org1") == [made]
    assert await datasets.listing("org2") == []
    assert (await datasets.update(DATASET, DatasetSpec(title="New"))).title == "New"
    await datasets.delete(DATASET)
    assert await datasets.listing() == []


async def test_comments_are_uploaded_counted_read_and_deleted(town: Town) -> None:
    await town.platform.sources.create(SOURCE, SourceSpec())
    comments = town.platform.comments
    assert await comments.sync(SOURCE, [comment(1), comment(2)]) == SyncCounts(new=2)
    assert await comments.sync(SOURCE, [comment(2), {**comment(1), "timestamp": "2021-01-01T00:00:00Z"}]) == SyncCounts(
        updated=1, unchanged=1
    )
    assert (await comments.get(SOURCE, "0002"))["messages"] == comment(2)["messages"]
    assert await town.platform.sources.count_comments(SOURCE) == 2
    assert [each["id"] async for each in comments.listing(SOURCE)] == ["0002", "0001"]
    await comments.delete(SOURCE, ["0001", "0002"])
    assert await town.platform.sources.count_comments(SOURCE) == 0


async def test_a_listing_is_read_to_its_end_over_pages(town: Town) -> None:
    await town.platform.sources.create(SOURCE, SourceSpec())
    await town.platform.comments.sync(SOURCE, [comment(number) for number in range(600)])
    listed = [each["id"] async for each in town.platform.comments.listing(SOURCE)]
    assert sorted(listed) == [f"{number:04x}" for number in range(600)]


def raw_email() -> dict[str, Any]:
    headers = {"parsed": {"From": "a@example.com", "To": "b@example.com", "Subject": "Trade", "Message-ID": "<m@x>"}}
    headers["parsed"]["Date"] = "Thu, 09 Jan 2020 16:34:45 +0000"
    return {"raw_email": {"headers": headers, "body": {"plain": "The trade has not settled, settlement failed"}}}


async def test_raw_emails_become_comments(town: Town) -> None:
    await town.platform.sources.create(SOURCE, SourceSpec())
    counts = await town.platform.comments.sync_raw_emails(SOURCE, [raw_email()], "generic.0.CONVKER5")
    assert counts == SyncCounts(new=1)
    assert await town.platform.sources.count_comments(SOURCE) == 1


async def test_it_predicts_three_ways_and_says_how_well_it_was_taught(town: Town) -> None:
    source_id = await furnished(town)
    predictions = town.platform.predictions
    document = {"messages": [{"body": {"text": f"{KINDS[0]} 4711"}}], "timestamp": "2020-05-01T10:00:00Z"}
    (text,) = await predictions.texts(DATASET, "0", [document], Asked(threshold=0.2))
    assert ("Trade", "Settlement") in [label.name for label in text.labels]
    assert [entity["formatted_value"] for entity in text.entities] == ["4711"]
    only_fee = Asked(threshold=0.0, labels=(WantedLabel(name=("Fee",)),))
    (stored,) = await predictions.comments(DATASET, "0", [f"{source_id}.0001"], only_fee)
    assert stored.uid == f"{source_id}.0001"
    assert [label.name for label in stored.labels] == [("Fee",)]
    (mail,) = await predictions.raw_emails(DATASET, "0", [raw_email()], "generic.0.CONVKER5", Asked(threshold=0.2))
    assert ("Trade", "Settlement") in [label.name for label in mail.labels]
    assert await predictions.validation(DATASET, "0")


async def test_a_label_is_given_by_the_private_route_too(town: Town) -> None:
    source_id = await furnished(town)
    await town.platform.labelling.label(DATASET, f"{source_id}.0001", [{"name": "Fee"}], [{"name": "Trade"}])
    assert "POST /api/_private/datasets/org1/collateral/labellings/" in town.seen.paths[-1]


@pytest.mark.parametrize("ref", ["mail", "org1/", "/mail", "a/b/c", "", "org1/.."])
async def test_an_address_that_is_none_is_not_sent(town: Town, ref: str) -> None:
    with pytest.raises(StopTrigger):
        await town.platform.sources.get(ref)
    assert town.seen.paths == []


def written(tmp_path: Path, count: int) -> Path:
    file = tmp_path / "mail.jsonl"
    file.write_text("".join(json.dumps({"comment": comment(number)}) + "\n" for number in range(count)))
    return file


async def test_a_large_upload_goes_in_batches_and_leaves_no_mark(town: Town, tmp_path: Path) -> None:
    await town.platform.sources.create(SOURCE, SourceSpec())
    file, heard = written(tmp_path, 2 * BATCH_COMMENTS + 5), []
    counts = await upload(town.platform.comments, SOURCE, file, lambda done, _: heard.append(done))
    assert counts == SyncCounts(new=2 * BATCH_COMMENTS + 5)
    assert town.seen.paths.count("POST /api/v1/sources/org1/mail/sync") == 3
    assert heard == sorted(heard)
    assert (heard[0], heard[-1]) == (0, file.stat().st_size)
    assert not mark_file(file).exists()


async def test_a_broken_upload_goes_on_where_it_was(town: Town, tmp_path: Path) -> None:
    await town.platform.sources.create(SOURCE, SourceSpec())
    file = written(tmp_path, 3 * BATCH_COMMENTS)
    town.seen.fails_at = 3
    with pytest.raises(Retry):
        await upload(town.platform.comments, SOURCE, file, lambda *_: None)
    assert await town.platform.sources.count_comments(SOURCE) == BATCH_COMMENTS
    sent_before = town.seen.paths.count("POST /api/v1/sources/org1/mail/sync")
    counts = await upload(town.platform.comments, SOURCE, file, lambda *_: None)
    assert counts == SyncCounts(new=3 * BATCH_COMMENTS)
    assert town.seen.paths.count("POST /api/v1/sources/org1/mail/sync") - sent_before == 2


async def test_a_mark_of_another_file_or_source_is_not_trusted(town: Town, tmp_path: Path) -> None:
    for name in ("org1/mail", "org1/other"):
        await town.platform.sources.create(name, SourceSpec())
    file = written(tmp_path, BATCH_COMMENTS + 1)
    town.seen.fails_at = len(town.seen.paths) + 2
    with pytest.raises(Retry):
        await upload(town.platform.comments, SOURCE, file, lambda *_: None)
    counts = await upload(town.platform.comments, "org1/other", file, lambda *_: None)
    assert counts == SyncCounts(new=BATCH_COMMENTS + 1)


async def test_a_line_that_is_no_comment_is_named_without_its_text(town: Town, tmp_path: Path) -> None:
    await town.platform.sources.create(SOURCE, SourceSpec())
    file = tmp_path / "bad.jsonl"
    file.write_text(json.dumps(comment(1)) + "\n\n" + '{"secret": 1}\n')
    with pytest.raises(BadLine, match="line 3 is no comment") as raised:
        await upload(town.platform.comments, SOURCE, file, lambda *_: None)
    assert "secret" not in str(raised.value)
