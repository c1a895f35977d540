"""What the vendor's own client asks beside the public routes: session, lists, comment and labelling pages."""

from typing import Any

import pytest

from tests.sandbox.driver import DATASET, SOURCE, Driver, comment, mail_labels, mails

COMMENTS = "/api/_private/sources/org1/mail/comments"
LABELLINGS = "/api/_private/datasets/org1/collateral/labellings"


def timed(comment_id: str, day: int) -> dict[str, Any]:
    return {**comment(comment_id), "timestamp": f"2020-05-{day:02d}T10:00:00"}


async def pages(driver: Driver, query: str) -> list[list[str]]:
    """Ids page by page, until an answer has no continuation."""
    found: list[list[str]] = []
    after = ""
    while True:
        answer = await driver.ok("GET", f"{COMMENTS}?{query}{after}")
        found.append([each["id"] for each in answer["comments"]])
        if "continuation" not in answer:
            return found
        after = f"&after={answer['continuation']}"


async def test_comments_are_listed_by_their_own_time_page_by_page(each: Driver) -> None:
    await each.prepare()
    await each.upload([timed("0c", 3), timed("0a", 1), timed("0d", 3), timed("0b", 2), timed("0e", 4)])
    assert await pages(each, "limit=2") == [["0a", "0b"], ["0c", "0d"], ["0e"]]
    assert await pages(each, "limit=5") == [["0a", "0b", "0c", "0d", "0e"]]
    assert await pages(each, "limit=2&direction=desc") == [["0e", "0d"], ["0c", "0b"], ["0a"]]
    between = "from_timestamp=2020-05-02T10:00:00Z&to_timestamp=2020-05-03T10:00:00Z"
    assert await pages(each, f"limit=1&{between}") == [["0b"], ["0c"], ["0d"]]
    assert await pages(each, "from_timestamp=2021-01-01T00:00:00Z") == [[]]


async def test_listed_comments_are_those_of_the_public_route(each: Driver) -> None:
    await each.prepare()
    await each.upload(mails(3))
    listed = (await each.ok("GET", COMMENTS))["comments"]
    assert listed == [(await each.ok("GET", f"{SOURCE}/comments/{one['id']}"))["comment"] for one in listed]


@pytest.mark.parametrize("query", ["limit=0", "limit=257", "limit=x", "after=x", "direction=up", "from_timestamp=1949"])
async def test_a_page_asked_for_wrongly_is_refused(each: Driver, query: str) -> None:
    await each.prepare()
    await each.refused(400, "GET", f"{COMMENTS}?{query}")


async def test_a_page_holds_up_to_256(each: Driver) -> None:
    await each.prepare()
    await each.upload(mails(257))
    assert [len(page) for page in await pages(each, "limit=256")] == [256, 1]
    assert [len(page) for page in await pages(each, "")] == [64, 64, 64, 64, 1]


async def test_put_creates_and_never_changes(each: Driver) -> None:
    await each.prepare()
    assert set(await each.ok("PUT", COMMENTS, {"comments": [comment("0a", "first")]})) == {"status"}
    await each.ok("PUT", COMMENTS, {"comments": [comment("0a", "first"), comment("0b")]})
    message = await each.refused(409, "PUT", COMMENTS, {"comments": [comment("0c"), comment("0a", "second")]})
    assert message.startswith(f"comment {each.source_id}.0a")
    assert [one["id"] for one in (await each.ok("GET", COMMENTS))["comments"]] == ["0a", "0b"]


async def test_labellings_come_in_pages_and_end_with_an_empty_one(each: Driver) -> None:
    await each.prepare()
    await each.upload(mails(5))
    await each.annotate(mail_labels(3))
    first = await each.ok("GET", f"{LABELLINGS}?limit=2")
    second = await each.ok("GET", f"{LABELLINGS}?limit=2&after={first['after']}")
    last = await each.ok("GET", f"{LABELLINGS}?limit=2&after={second['after']}")
    assert (last["results"], "after" in last) == ([], False)
    found = {one["comment"]["id"]: one["labelling"] for page in (first, second) for one in page["results"]}
    even = {"name": "Trade > Settlement", "sentiment": "negative"}
    odd = {"name": "Fee > Refund", "sentiment": "positive"}
    assert found == {
        f"{index:04x}": [{"group": "default", "assigned": [odd if index % 2 else even], "dismissed": []}]
        for index in range(3)
    }


async def test_both_forms_of_a_labelling_are_taken(each: Driver) -> None:
    await each.prepare()
    await each.upload(mails(2))
    label = {"name": "Trade", "sentiment": "positive"}
    for comment_id, labelling in (
        ("0000", {"assigned": [label]}),
        ("0001", [{"group": "default", "assigned": [label]}]),
    ):
        await each.ok("POST", f"{LABELLINGS}/{each.source_id}.{comment_id}", {"labelling": labelling})
    results = (await each.ok("GET", LABELLINGS))["results"]
    assert [one["labelling"][0]["assigned"] for one in results] == [[label], [label]]
    other = [{"group": "other", "assigned": []}]
    await each.refused(400, "POST", f"{LABELLINGS}/{each.source_id}.0000", {"labelling": other})


async def test_the_client_finds_its_user_and_what_the_token_may(each: Driver) -> None:
    await each.prepare()
    user = (await each.ok("GET", "/auth/user"))["user"]
    assert {"id", "username", "email", "created", "global_permissions", "sso_global_permissions"} <= set(user)
    assert "View sources" in user["organisation_permissions"]["org1"]
    assert user["verified"] is True
    assert (await each.ok("POST", "/auth/refresh-user-permissions", {}))["permissions_refreshed"] is True
    await each.refused(401, "GET", "/auth/user", headers={"authorization": "Bearer wrong"})


async def test_buckets_are_none_and_projects_are_the_owners(each: Driver) -> None:
    await each.prepare()
    await each.ok("PUT", "/api/v1/sources/org0/mail", {"source": {}})
    assert (await each.ok("GET", "/api/_private/buckets"))["buckets"] == []
    projects = (await each.ok("GET", "/api/_private/projects"))["projects"]
    assert [project["name"] for project in projects] == ["org0", "org1"]
    assert set(projects[0]) == {"name", "title", "description", "created_at", "updated_at"}


async def test_statistics_count_what_passes_the_filter(each: Driver) -> None:
    await each.prepare()
    await each.upload([comment("0a", user_properties={"number:size": 1}), comment("0b"), comment("0c")])
    path = f"{SOURCE}/statistics"
    assert (await each.ok("POST", path, {"comment_filter": {}}))["statistics"] == {"num_comments": 3}
    small = {"comment_filter": {"user_properties": {"number:size": {"maximum": 1}}}}
    assert (await each.ok("POST", path, small))["statistics"] == {"num_comments": 1}
    await each.refused(400, "POST", path, {"comment_filter": {"reviewed": "only_reviewed"}})
    await each.refused(404, "POST", "/api/v1/sources/org1/none/statistics", {})


async def test_validation_has_the_figures_of_every_label(each: Driver) -> None:
    await each.prepare()
    await each.upload(mails(24))
    await each.annotate(mail_labels(24))
    version = await each.train_and_pin()
    answer = await each.ok("GET", f"{DATASET}/labellers/{version}/validation")
    validation = answer["validation"]
    assert (validation["version"], validation["reviewed_size"]) == (version, 24)
    names = ["Fee", "Fee > Refund", "Trade", "Trade > Settlement"]
    assert [label["name"] for label in validation["labels"]] == names
    assert [definition["name"] for definition in answer["label_groups"][0]["label_defs"]] == names
    for label in validation["labels"]:
        assert label["examples"] == 12
        assert all(0.9 <= label[figure] <= 1 for figure in ("precision", "recall", "average_precision"))
    assert validation["model_rating"] == {"score": validation["mean_average_precision"], "quality": "excellent"}


async def test_a_labels_validation_is_a_curve_of_precision_and_recall(each: Driver) -> None:
    await each.prepare()
    await each.upload(mails(24))
    await each.annotate(mail_labels(24))
    version = await each.train_and_pin()
    path = f"/api/_private{DATASET.removeprefix('/api/v1')}/labellers/{version}"
    latest = await each.ok("GET", path.replace(f"/{version}", "/latest") + "/validation")
    assert latest == await each.ok("GET", f"{DATASET}/labellers/{version}/validation")
    curve = (await each.ok("POST", f"{path}/label-validation", {"label": "Fee > Refund"}))["label_validation"]
    assert len(curve["thresholds"]) == len(curve["precisions"]) == len(curve["recalls"]) >= 2
    assert curve["thresholds"] == sorted(curve["thresholds"])
    assert curve["recalls"] == sorted(curve["recalls"], reverse=True)
    assert curve["recalls"][0] == 1
    await each.refused(404, "POST", f"{path}/label-validation", {"label": "Nothing"})
    await each.refused(404, "GET", f"{DATASET}/labellers/7/validation")
