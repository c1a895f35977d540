"""Tokens, permissions, the envelope, paths."""

from pathlib import Path

import pytest

from bridge.sandbox.auth import ALL_PERMISSIONS, Permission, parse_permissions
from tests.sandbox.driver import DATASET, SOURCE, Driver, FixedClock, comment

VIEWER = {"authorization": "Bearer viewer"}


async def test_an_unknown_path_is_404_with_exactly_the_documents_message(each: Driver) -> None:
    for path in ("/api/v1/nonexistent_page", "/", "/api/v1/sources/a/b/c", "/api/v1/sources/"):
        assert await each.refused(404, "GET", path) == "404 Not Found"
    assert await each.refused(405, "PATCH", "/api/v1/sources") == "405 Method Not Allowed"


async def test_no_token_or_a_wrong_one_is_401(each: Driver) -> None:
    for headers in ({"authorization": ""}, {"authorization": "Bearer nobody"}, {"authorization": "Basic sandbox"}):
        assert "401" in await each.refused(401, "GET", "/api/v1/sources", headers=headers)


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/api/v1/sources", ["View sources"]),
        ("PUT", "/api/v1/sources/org1/new", ["Sources admin"]),
        ("POST", f"{SOURCE}/sync", ["Edit verbatims"]),
        ("GET", DATASET, ["View labels", "View sources"]),
        ("PUT", "/api/v1/datasets/org1/new", ["Datasets admin", "View sources"]),
        ("PUT", f"{DATASET}/triggers", ["Triggers admin", "View labels"]),
        ("GET", f"{DATASET}/streams/dispute", ["View streams", "View labels"]),
        ("POST", f"{DATASET}/triggers/dispute/fetch", ["Consume triggers", "View labels", "View sources"]),
        ("POST", f"{DATASET}/triggers/dispute/advance", ["Consume triggers", "View labels"]),
        ("POST", f"{DATASET}/triggers/dispute/reset", ["Consume triggers", "View labels"]),
        ("PUT", f"{DATASET}/streams/dispute/exceptions", ["Consume streams", "View sources"]),
    ],
)
async def test_each_route_asks_for_its_own_permissions(
    today: Driver, method: str, path: str, needed: list[str]
) -> None:
    await today.prepare()
    await today.create_trigger()
    short = parse_permissions(Permission) - parse_permissions(needed[:1])
    today.box.tokens.grant("short", short)
    today.box.tokens.grant("enough", parse_permissions(needed))
    message = await today.refused(403, method, path, {}, headers={"authorization": "Bearer short"})
    assert message.endswith(": " + next(iter(parse_permissions(needed[:1]))))
    allowed = await today.send(method, path, {}, headers={"authorization": "Bearer enough"})
    assert allowed.status_code in (200, 400)


async def test_advance_asks_for_view_sources_in_2020_only(y2020: Driver) -> None:
    await y2020.prepare()
    await y2020.create_trigger()
    y2020.box.tokens.grant("viewer", parse_permissions(["Consume triggers", "View labels"]))
    assert "View sources" in await y2020.refused(403, "POST", f"{DATASET}/triggers/dispute/advance", {}, headers=VIEWER)


async def test_a_token_can_be_replaced_in_the_middle_of_a_run(each: Driver) -> None:
    await each.ok("POST", "/_sandbox/tokens", {"revoke": ["sandbox"], "set": {"viewer": ["View sources"]}})
    await each.refused(401, "GET", "/api/v1/sources")
    assert (await each.send("GET", "/api/v1/sources", headers=VIEWER)).status_code == 200
    await each.refused(400, "POST", "/_sandbox/tokens", {"set": {"x": ["Fly"]}})


async def test_the_admin_token_guards_the_sandbox_routes_alone(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "a.sqlite", FixedClock(), admin_token="root")
    await driver.refused(401, "GET", "/_sandbox/faults")
    assert (await driver.send("GET", "/_sandbox/faults", headers={"authorization": "Bearer root"})).status_code == 200
    await driver.refused(401, "GET", "/api/v1/sources", headers={"authorization": "Bearer root"})
    await driver.close()


async def test_double_slash_encoded_slash_and_prefix_reach_the_same_route(tmp_path: Path) -> None:
    driver = Driver(tmp_path / "p.sqlite", FixedClock(), prefix="/acme/prod/reinfer_/")
    prefix = "/acme/prod/reinfer_"
    await driver.ok("PUT", f"{prefix}/api/v1/sources/org1/mail", {"source": {}})
    for path in (f"{prefix}/api/v1/sources/org1%2Fmail", f"{prefix}//api/v1/sources/org1/mail"):
        assert (await driver.ok("GET", path))["source"]["name"] == "mail"
    assert await driver.refused(404, "GET", "/api/v1/sources/org1/mail") == "404 Not Found"
    await driver.ok("GET", "/_sandbox/health")
    await driver.close()


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[1]", "is not of type 'object'"),
        (b'{"size": 1, "more": 2}', "Additional properties are not allowed ('more' was unexpected)"),
        (b'{"size": "1"}', "'1' is not of type 'integer' at 'size'"),
        (b'{"size": true}', "True is not of type 'integer'"),
        (b"{}", "'size' is a required property"),
        (b'{"size": 0}', "0 is less than the minimum of 1"),
        (b'{"size": 1025}', "1025 is greater than the maximum of 1024"),
        (b'{"size": 1e999}', "not valid JSON"),
        (b"[" * 5000 + b"]" * 5000, "not valid JSON"),
        (b'{"size": ' + b"[" * 900 + b"]" * 900 + b"}", "is not of type 'integer'"),
        (b'{"size": 1, "\xff": 1}', "not valid JSON"),
    ],
)
async def test_a_body_that_does_not_fit_is_400_with_a_reason(today: Driver, body: bytes, part: str) -> None:
    await today.prepare()
    await today.create_trigger()
    assert part in await today.refused(400, "POST", f"{DATASET}/triggers/dispute/fetch", content=body)


async def test_a_body_past_the_limit_of_the_server_is_413(today: Driver) -> None:
    headers = {"content-length": str(10**10)}
    assert await today.refused(413, "POST", f"{SOURCE}/sync", content=b"{}", headers=headers)


async def test_refusals_never_quote_a_whole_mail(today: Driver) -> None:
    await today.prepare()
    message = await today.refused(400, "POST", f"{SOURCE}/sync", {"comments": [comment("ab", "x" * 70_000)]})
    assert message.endswith("is too long at 'comments/0/messages/0/body/text'")
    assert len(message) < 400


async def test_answers_carry_server_timing(today: Driver) -> None:
    response = await today.send("GET", "/api/v1/sources")
    assert response.headers["server-timing"].startswith("total;dur=")


async def test_the_vendor_clients_first_questions_are_answered(today: Driver) -> None:
    user = (await today.ok("GET", "/auth/user"))["user"]
    assert {"id", "username", "email", "created", "global_permissions", "verified"} <= set(user)
    assert (await today.ok("POST", "/auth/refresh-user-permissions", {}))["permissions_refreshed"] is True


def test_permission_words_of_both_eras_mean_the_same() -> None:
    assert parse_permissions(["Consume streams"]) == parse_permissions(["consume triggers"])
    assert parse_permissions(["Edit messages"]) == {Permission.EDIT_VERBATIMS}
    assert parse_permissions(["all"]) == ALL_PERMISSIONS
