"""What browsers are told, and what is not done for another site's page (D20)."""

from __future__ import annotations

from importlib.resources import files

import pytest

from bridge.app.admin.browser import HEADERS
from tests.unit.admin.office import NO_TOKENS, assert_problem, open_office
from tests.unit.engine.world import World

ONE = "/api/v1/triggers/disputes"


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/api/v1/triggers", "/livez", "/metrics", "/none"])
async def test_every_answer_carries_the_policy(path: str) -> None:
    world = World()
    async with open_office(world) as office:
        answer = await office.http.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://["},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", f"{ONE}/pause"), ("GET", f"{ONE}/peek")])
async def test_another_sites_page_gets_nothing_done(headers: dict[str, str], method: str, path: str) -> None:
    """Without tokens the machine itself is let in, and so is every page its browser shows: unless it says whose."""
    world = World()
    async with (
        open_office(world, tokens=NO_TOKENS) as office,
        office.asking(None, peer="127.0.0.1", host="127.0.0.1:8080") as http,
    ):
        assert_problem(await http.request(method, path, headers=headers), 403, "foreign_site")
    assert world.store.wishes == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8080"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1:8080"},
    ],
)
async def test_our_own_page_and_a_command_line_are_heard(headers: dict[str, str]) -> None:
    world = World()
    async with (
        open_office(world, tokens=NO_TOKENS) as office,
        office.asking(None, peer="127.0.0.1", host="127.0.0.1:8080") as http,
    ):
        assert (await http.post(f"{ONE}/pause", headers=headers)).status_code == 202


async def test_a_refusal_of_a_body_carries_the_policy_too() -> None:
    world = World()
    async with open_office(world) as office:
        answer = await office.http.post(f"{ONE}/explain", content=b"", headers={"content-length": "999999999"})
    assert answer.status_code == 413
    assert answer.headers["content-security-policy"]


async def test_the_page_and_its_files_are_served_and_kept_by_their_tag() -> None:
    world = World()
    names = [file.name for file in files("bridge.app.admin").joinpath("page").iterdir()]
    async with open_office(world) as office, office.asking(None) as http:
        page = await http.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        for name in names:
            answer = await http.get(f"/page/{name}")
            assert (answer.status_code, bool(answer.content)) == (200, True)
            again = await http.get(f"/page/{name}", headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        for name in ("../api.py", "..%2fapi.py", "%2e%2e/api.py", "api.py", "", "index.html/x"):
            assert (await http.get(f"/page/{name}")).status_code == 404
