"""Sensitive properties are for tokens with the permission: on every route that shows a comment."""

from typing import Any

from tests.sandbox.driver import DATASET, SOURCE, Driver, comment, mails

PLAIN = "plain-token"
EVERYTHING_ELSE = [
    "View sources",
    "View labels",
    "Edit verbatims",
    "Consume triggers",
    "Review and label",
]
PROPERTIES = {"string:Account": "12345", "number:Salary": 7, "string:City": "London"}
SHOWN = {"string:City": "London"}


async def as_plain(driver: Driver, method: str, path: str, body: object = None) -> dict[str, Any]:
    response = await driver.send(method, path, body, headers={"authorization": f"Bearer {PLAIN}"})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def prepared(driver: Driver) -> None:
    await driver.prepare()
    await driver.ok("POST", "/_sandbox/tokens", {"set": {PLAIN: EVERYTHING_ELSE}})
    marked = {"sensitive_properties": ["string:Account", "Salary"]}
    await driver.ok("POST", SOURCE, {"source": marked})
    await driver.upload([comment("0a", user_properties=PROPERTIES)])


async def test_a_comment_is_shown_without_them(each: Driver) -> None:
    await prepared(each)
    path = f"{SOURCE}/comments/0a"
    assert (await as_plain(each, "GET", path))["comment"]["user_properties"] == SHOWN
    assert (await each.ok("GET", path))["comment"]["user_properties"] == PROPERTIES


async def test_a_trigger_delivers_without_them_and_counts_the_same(each: Driver) -> None:
    await prepared(each)
    await each.create_trigger()
    path = f"{DATASET}/triggers/dispute/fetch"
    plain, full = await as_plain(each, "POST", path, {"size": 8}), await each.fetch(8)
    assert plain["results"][0]["comment"].pop("user_properties") == SHOWN
    assert full["results"][0]["comment"].pop("user_properties") == PROPERTIES
    assert plain == full


async def test_neither_do_results_lists_and_labellings_have_them(each: Driver) -> None:
    await prepared(each)
    await each.create_trigger()
    await each.annotate({"0a": [{"name": ["Trade"]}]})
    results = await as_plain(each, "GET", f"{DATASET}/streams/dispute/results")
    listed = await as_plain(each, "GET", "/api/_private/sources/org1/mail/comments")
    labelled = await as_plain(each, "GET", "/api/_private/datasets/org1/collateral/labellings")
    shown = [results["results"][0]["comment"], listed["comments"][0], labelled["results"][0]["comment"]]
    assert [one["user_properties"] for one in shown] == [SHOWN] * 3


async def test_raw_emails_come_back_without_them(each: Driver) -> None:
    await prepared(each)
    email = {"headers": {"raw": "Date: Thu, 09 Jan 2020 16:34:45 +0000"}, "body": {"plain": "Hello"}}
    documents = [{"raw_email": email, "user_properties": PROPERTIES}]
    body = {"documents": documents, "transform_tag": "name.0.ABCD1234", "include_comments": True}
    comments = (await as_plain(each, "POST", f"{SOURCE}/sync-raw-emails", body))["comments"]
    assert {"string:Account", "number:Salary"}.isdisjoint(comments[0]["user_properties"])


async def test_other_sources_are_not_touched(each: Driver) -> None:
    await prepared(each)
    await each.ok("PUT", "/api/v1/sources/org1/open", {"source": {}})
    await each.ok(
        "POST", "/api/v1/sources/org1/open/sync", {"comments": [{**mails(1)[0], "user_properties": PROPERTIES}]}
    )
    answer = await as_plain(each, "GET", "/api/v1/sources/org1/open/comments/0000")
    assert answer["comment"]["user_properties"] == PROPERTIES
