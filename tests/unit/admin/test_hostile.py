"""Whatever is sent, the answer is a status below 500 and a problem that a program can read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.app.admin.limits import BODY_BYTES_MAX, BodyLimit
from tests.fakes.results import raw_result
from tests.unit.admin.office import Office, assert_problem, open_office
from tests.unit.engine.world import World

ONE = "/api/v1/triggers/disputes"
JSON = {"content-type": "application/json"}


async def sent(path: str, body: bytes, headers: dict[str, str] = JSON) -> tuple[int, str]:
    """What came back, from a fresh office."""
    world = World()
    async with open_office(world) as office:
        answer = await office.http.post(path, content=body, headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        answer.json()
    return answer.status_code, answer.text


BODIES = {
    "nothing": b"",
    "no json": b"<html>",
    "half of it": b'{"result": {"comment"',
    "a list": b"[]",
    "null": b"null",
    "not utf-8": b'{"result": {"a": "\xff\xfe"}}',
    "nested deep": b'{"result": {"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "a huge number": b'{"result": {"a": ' + b"9" * 10_000 + b"}}",
    "not a number": b'{"result": {"a": NaN}}',
    "infinite": b'{"result": {"a": 1e999}}',
    "a lone surrogate": b'{"result": {"a": "\\ud800"}}',
    "a lone surrogate as a key": b'{"\\udfff": {}}',
    "a key twice": b'{"result": {}, "result": {}}',
    "utf-16": '{"result": {}}'.encode("utf-16"),
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("route", ["explain", "pause", "resets"])
async def test_a_body_that_is_none_is_refused_with_a_problem(route: str, what: str) -> None:
    status, _ = await sent(f"{ONE}/{route}", BODIES[what])
    assert status in (400, 422) or (route, what) in {("pause", "nothing"), ("pause", "null")}


async def test_a_result_with_lone_surrogates_is_explained() -> None:
    """The bridge publishes it, so it can say where to."""
    result = raw_result(1, {"Urgent": 0.9, "\ud800": 0.7}, text="\udfff").replace(b".1", b".\\ud83d")
    status, text = await sent(f"{ONE}/explain", b'{"result": %b}' % result)
    assert status == 200
    assert "\\ud83d" in text


async def test_a_reason_that_cannot_be_written_down_is_refused() -> None:
    status, _ = await sent(f"{ONE}/pause", b'{"reason": "\\ud800"}')
    assert status == 422
    status, _ = await sent(f"{ONE}/pause", json.dumps({"reason": "x" * 1001}).encode())
    assert status == 422


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}, {"content-type": "application/xml"}])
async def test_a_body_of_another_kind_is_refused(headers: dict[str, str]) -> None:
    status, _ = await sent(f"{ONE}/explain", b'{"result": {}}', headers)
    assert status == 422


async def test_a_body_over_the_limit_is_refused_before_it_is_read() -> None:
    """D20."""
    world = World()
    async with open_office(world) as office:
        answer = await office.http.post(f"{ONE}/explain", content=b"x" * (BODY_BYTES_MAX + 1), headers=JSON)
        assert_problem(answer, 413, "body_too_large")
        assert_problem(await office.http.post(f"{ONE}/explain", content=endless()), 413, "body_too_large")


async def endless() -> AsyncIterator[bytes]:
    """In pieces, its length not announced."""
    while True:
        yield b" " * 1_000_000


async def test_a_large_result_within_the_limit_is_explained() -> None:
    result = raw_result(1, {"Urgent": 0.9}, text="x" * 2_000_000)
    status, _ = await sent(f"{ONE}/explain", b'{"result": %b}' % result)
    assert status == 200


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    async def app(*_: Any) -> None:
        raise AssertionError("it was let through")

    async def never() -> Any:
        await asyncio.Event().wait()

    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    await BodyLimit(app, timeout_s=0.0)(scope, never, send)
    assert told[0]["status"] == 408


async def test_a_caller_that_hangs_up_is_not_answered() -> None:
    async def app(*_: Any) -> None:
        raise AssertionError("it was let through")

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        raise AssertionError("nobody listens")

    await BodyLimit(app)({"type": "http", "method": "POST", "path": "/", "headers": []}, gone, send)


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 400, "x"])
async def test_a_length_that_is_none_is_refused(length: str) -> None:
    status, _ = await sent(f"{ONE}/pause", b"", {"content-length": length})
    assert status == 413


NAMES = st.one_of(
    st.text(max_size=40).filter(lambda name: name not in (".", "..")),
    st.sampled_from(["../../etc/passwd", "%2e%2e", "\0", "a" * 5_000, "disputes\n", "\u202e", "{name}", "'; DROP"]),
)


def in_an_office(asking: Iterable[tuple[str, str, bytes | None]]) -> list[int]:
    """The statuses of some requests, in an event loop of its own."""

    async def run() -> list[int]:
        world = World()
        async with open_office(world) as office:
            return [await status_of(office, *each) for each in asking]

    return asyncio.run(run())


async def status_of(office: Office, method: str, path: str, body: bytes | None) -> int:
    answer = await office.http.request(method, path, content=body, headers=JSON if body else {})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(name=NAMES, uid=NAMES)
def test_odd_names_in_the_path_are_not_found(name: str, uid: str) -> None:
    at = f"/api/v1/triggers/{quote(name, safe='')}"
    statuses = in_an_office(
        [
            ("GET", at, None),
            ("POST", f"{at}/pause", b"{}"),
            ("GET", f"{at}/resets/{quote(uid, safe='')}", None),
            ("GET", f"{ONE}/resets/{quote(uid, safe='')}", None),
            ("POST", f"{at}/explain", b'{"result": {}}'),
        ]
    )
    assert {status for status in statuses if name != "disputes"} <= {200, 307, 404, 405, 422}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
RESULTS = st.fixed_dictionaries(
    {},
    optional={
        "sequence_id": VALUES,
        "comment": VALUES | st.fixed_dictionaries({"uid": VALUES, "user_properties": VALUES, "created_at": VALUES}),
        "labels": VALUES | st.lists(st.fixed_dictionaries({"name": VALUES, "probability": VALUES}), max_size=2),
        "entities": VALUES,
    },
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(result=RESULTS, reset=VALUES)
def test_no_result_and_no_instant_is_a_defect(result: dict[str, Any], reset: Any) -> None:
    in_an_office(
        [
            ("POST", f"{ONE}/explain", json.dumps({"result": result}).encode()),
            ("POST", f"{ONE}/resets", json.dumps({"to_comment_created_at": reset}).encode()),
        ]
    )
