"""Every dimension of `comment_filter` (fact sheet section 2.2)."""

from typing import Any

import pytest

from tests.sandbox.driver import DATASET, Driver, comment


def mail(comment_id: str, sender: str, to: list[str], **more: Any) -> dict[str, Any]:
    return comment(comment_id, messages=[{"body": {"text": "x"}, "from": sender, "to": to}], **more)


COMMENTS = [
    mail(
        "a",
        "ann@uk.example",
        ["desk@bank.example"],
        user_properties={"string:Country": "uk", "number:Spend": 50, "string:Mail": "ann@uk.example"},
        timestamp="2020-01-01",
    ),
    mail(
        "b",
        "bob@de.example",
        ["desk@bank.example", "ann@uk.example"],
        user_properties={"string:Country": "de", "number:Spend": 100.5},
        timestamp="2020-02-01",
    ),
    mail("c", "eve@xx.example", ["eve@xx.example"], timestamp="2020-03-01"),
    comment("d", messages=[], timestamp="2020-04-01", user_properties={"number:Spend": -1}),
]

CASES: list[tuple[dict[str, Any], str]] = [
    ({}, "abcd"),
    ({"user_properties": {"string:Country": {"one_of": ["uk", "de"]}}}, "ab"),
    ({"user_properties": {"string:Country": {"not_one_of": ["uk"]}}}, "bcd"),
    ({"user_properties": {"string:Mail": {"domain_not_one_of": ["UK.example"]}}}, "bcd"),
    ({"user_properties": {"number:Spend": {"minimum": 50}}}, "ab"),
    ({"user_properties": {"number:Spend": {"minimum": 50.5, "maximum": 100.5}}}, "b"),
    ({"user_properties": {"number:Spend": {"maximum": 0}}}, "d"),
    ({"user_properties": {"number:Spend": {"one_of": [50.0, -1]}}}, "ad"),
    ({"user_properties": {"string:Country": {"one_of": ["uk", "de"]}, "number:Spend": {"minimum": 60}}}, "b"),
    ({"timestamp": {"minimum": "2020-02-01T00:00:00", "maximum": "2020-03-01T01:00:00+01:00"}}, "bc"),
    ({"reviewed": "only_reviewed"}, "ab"),
    ({"reviewed": "only_unreviewed"}, "cd"),
    ({"messages": {"from": {"one_of": ["ann@uk.example", "eve@xx.example"]}}}, "ac"),
    ({"messages": {"from": {"domain_one_of": ["de.example"]}}}, "b"),
    ({"messages": {"from": {"domain_not_one_of": ["de.example"]}}}, "acd"),
    ({"messages": {"to": {"not_one_of": ["desk@bank.example"]}}}, "cd"),
    ({"messages": {"recipient": {"one_of": ["ann@uk.example"]}}}, "b"),
    ({"messages": {"cc": {"one_of": ["ann@uk.example"]}}}, ""),
    ({"annotations": {"labels": {"one_of": ["Trade"]}}}, "a"),
    ({"annotations": {"labels": {"one_of": [["Trade", "Settlement"]]}}}, "a"),
    ({"annotations": {"labels": {"not_one_of": ["Trade > Settlement"]}}}, "bcd"),
    ({"trigger_exceptions": {"other": {"one_of": ["Wrong"]}}}, "c"),
    ({"trigger_exceptions": {"other": {"one_of": ["Wrong", None]}}}, "abc"),
    ({"trigger_exceptions": {"other": {"not_one_of": ["Wrong"]}}}, "abd"),
    ({"trigger_exceptions": {"other": {"one_of": ["Wrong"], "include_missing": True}}}, "abc"),
    ({"trigger_exceptions": {"other": {"not_one_of": ["Wrong"], "include_missing": False}}}, "d"),
]


async def prepare(driver: Driver) -> None:
    await driver.prepare()
    await driver.upload(COMMENTS)
    await driver.annotate({"a": [{"name": ["Trade", "Settlement"]}], "b": []})
    await driver.create_trigger("other")
    tags = [("c", "Wrong"), ("d", "None")]
    body = {"exceptions": [{"uid": f"{driver.source_id}.{key}", "metadata": {"type": kind}} for key, kind in tags]}
    await driver.ok("PUT", f"{DATASET}/streams/other/exceptions", body)


@pytest.mark.parametrize(("comment_filter", "passing"), CASES, ids=[str(index) for index in range(len(CASES))])
async def test_each_dimension(today: Driver, comment_filter: dict[str, Any], passing: str) -> None:
    await prepare(today)
    await today.create_trigger(comment_filter=comment_filter)
    page = await today.fetch()
    assert "".join(sorted(result["comment"]["id"] for result in page["results"])) == passing
    assert page["filtered"] == 4 - len(passing)


async def test_by_source(today: Driver) -> None:
    await prepare(today)
    other = (await today.ok("PUT", "/api/v1/sources/org1/other", {"source": {}}))["source"]["id"]
    await today.ok("POST", DATASET, {"dataset": {"source_ids": [today.source_id, other]}})
    await today.ok("POST", "/api/v1/sources/org1/other/sync", {"comments": [comment("e")]})
    await today.create_trigger(comment_filter={"sources": [other]})
    assert [result["comment"]["id"] for result in (await today.fetch())["results"]] == ["e"]


@pytest.mark.parametrize(
    "comment_filter",
    [
        {"unknown": {}},
        {"user_properties": {"string:x": {}}},
        {"user_properties": {"string:x": {"minimum": 1}}},
        {"user_properties": {"number:x": {"one_of": []}}},
        {"user_properties": {"date:x": {"one_of": ["a"]}}},
        {"user_properties": {"string:x": {"one_of": ["a", "a"]}}},
        {"user_properties": {"string:x": {"one_of": [str(n) for n in range(129)]}}},
        {"reviewed": "maybe"},
        {"entities": {}},
    ],
)
async def test_a_filter_that_does_not_fit_is_refused(each: Driver, comment_filter: dict[str, Any]) -> None:
    await each.prepare()
    body = {"trigger": {"name": "t", "comment_filter": comment_filter}}
    await each.refused(400, "PUT", f"{DATASET}/triggers", body)


async def test_2020_knows_the_documents_filters_only(y2020: Driver) -> None:
    await y2020.prepare()
    body = {"trigger": {"name": "t", "comment_filter": {"reviewed": "only_reviewed"}}}
    await y2020.refused(400, "PUT", f"{DATASET}/triggers", body)
    values = [str(n) for n in range(128)]
    await y2020.create_trigger(comment_filter={"user_properties": {"string:x": {"one_of": values}}})
