"""Who is let in: two roles by token, and loopback alone where there is none (D20)."""

from __future__ import annotations

import pytest

from bridge.app.admin.auth import Tokens
from tests.unit.admin.office import NO_TOKENS, OPERATE, READ, assert_problem, open_office
from tests.unit.engine.world import World

ONE = "/api/v1/triggers/disputes"
RESET = {"to_comment_created_at": "2020-01-01T00:00:00Z"}
RESULT = {"result": {"sequence_id": "s", "comment": {"uid": "u"}}}
READING = [
    ("GET", "/api/v1/triggers", None),
    ("GET", ONE, None),
    ("GET", f"{ONE}/resets", None),
    ("POST", f"{ONE}/explain", RESULT),
]
OPERATING = [
    ("POST", f"{ONE}/pause", None),
    ("POST", f"{ONE}/resume", None),
    ("POST", f"{ONE}/resets", RESET),
    ("POST", f"{ONE}/resets/r1/cancel", None),
]


@pytest.mark.parametrize(("method", "path", "body"), [*READING, *OPERATING])
@pytest.mark.parametrize("token", [None, "", "wrong", READ + "x", READ.upper(), "tök", OPERATE[:-1]])
async def test_nobody_gets_in_without_a_known_token(
    token: str | None, method: str, path: str, body: dict[str, object] | None
) -> None:
    world = World()
    async with open_office(world) as office, office.asking(None, peer="127.0.0.1", host="127.0.0.1") as http:
        headers = {} if token is None else {b"Authorization": f"Bearer {token}".encode()}
        answer = await http.request(method, path, json=body, headers=headers)
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "body"), READING)
@pytest.mark.parametrize("token", [READ, OPERATE])
async def test_both_roles_may_read(token: str, method: str, path: str, body: dict[str, object] | None) -> None:
    world = World()
    async with open_office(world) as office, office.asking(token) as http:
        assert (await http.request(method, path, json=body)).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), OPERATING)
async def test_only_operators_may_change(method: str, path: str, body: dict[str, object] | None) -> None:
    world = World()
    async with open_office(world) as office:
        async with office.asking(READ) as http:
            assert_problem(await http.request(method, path, json=body), 403, "forbidden")
        assert world.store.wishes == []
        async with office.asking(OPERATE) as http:
            assert (await http.request(method, path, json=body)).status_code == (404 if "r1" in path else 202)


async def test_with_a_read_token_alone_nobody_may_change() -> None:
    world = World()
    async with open_office(world, tokens=Tokens(read=READ, operate=None)) as office:
        async with office.asking("") as http:
            assert_problem(await http.post(f"{ONE}/pause"), 401, "unauthorized")
        async with office.asking(READ) as http:
            assert_problem(await http.post(f"{ONE}/pause"), 403, "forbidden")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:8080"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
async def test_without_tokens_this_machine_is_let_in(peer: str, host: str) -> None:
    world = World()
    async with open_office(world, tokens=NO_TOKENS) as office, office.asking(None, peer=peer, host=host) as http:
        assert (await http.post(f"{ONE}/pause")).status_code == 202
    assert next(iter(world.store.standings.values())).pause is not None


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("10.0.0.9", "localhost"),
        ("10.0.0.9", "127.0.0.1"),
        ("127.0.0.1", "evil.example"),
        ("127.0.0.1", "localhost.evil.example"),
        ("127.0.0.1", "127.0.0.1.evil.example"),
        ("not-an-address", "localhost"),
    ],
)
async def test_without_tokens_nobody_else_is(peer: str, host: str) -> None:
    """The Host header too: a page of another site must not come by a name that resolves to loopback."""
    world = World()
    async with open_office(world, tokens=NO_TOKENS) as office, office.asking(None, peer=peer, host=host) as http:
        for method, path, body in [*READING, *OPERATING]:
            assert_problem(await http.request(method, path, json=body), 403, "forbidden")
    assert world.store.wishes == []


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_health_needs_no_token(path: str) -> None:
    world = World()
    async with open_office(world) as office, office.asking(None) as http:
        assert (await http.get(path)).status_code == 200
