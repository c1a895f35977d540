"""Requests made from the API's own OpenAPI document: none of them is a defect, and every answer is one it announces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.fakes.results import raw_result
from tests.unit.admin.office import Office, admin_of, open_office
from tests.unit.engine.world import World

STREAMS = "/api/v1/events"
"""Never ends, so nobody can wait for its answer."""


def documented() -> dict[str, Any]:
    async def made() -> dict[str, Any]:
        world = World()
        async with world.running() as supervisor:
            return admin_of(world, supervisor).openapi()

    read: dict[str, Any] = json.loads(json.dumps(asyncio.run(made())))
    return read


DOCUMENT = documented()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.config.update(base_url="http://bridge.example")
OPERATIONS = {
    f"{found.ok().method.upper()} {found.ok().path}": found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok) and found.ok().path != STREAMS
}
BOUNDED = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Building:
    """An office that stays open for many cases; these are drawn outside of its loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self.office: Office = self._run(self._open())

    async def _open(self) -> Office:
        world = World()
        world.upload(3)
        world.upload_raw(b'{"sequence_id":"bad","comment":17}')
        world.upload_raw(raw_result(5, {"Urgent": 0.9}, text="\ud800"))
        return await self._stack.enter_async_context(open_office(world))

    def _run(self, awaitable: Any) -> Any:
        return self._loop.run_until_complete(awaitable)

    def answer(self, case: Case[Any]) -> httpx.Response:
        kwargs = case.as_transport_kwargs(base_url="http://bridge.example")
        request: dict[str, Any] = {
            str(key): kwargs[key] for key in ("method", "url", "params", "json", "data", "headers") if key in kwargs
        }
        if isinstance(request.get("data"), bytes | str):
            request["content"] = request.pop("data")
        headers = {name: value for name, value in dict(request.pop("headers", {})).items() if value is not None}
        mine = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        answered: httpx.Response = self._run(self.office.http.request(**request, headers=mine))
        return answered

    def close(self) -> None:
        self._run(self._stack.aclose())
        self._loop.close()


@pytest.fixture(scope="module")
def building() -> Iterator[Building]:
    made = Building()
    yield made
    made.close()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_request_is_a_defect(name: str, mode: schemathesis.GenerationMode, building: Building) -> None:
    @BOUNDED
    @given(case=OPERATIONS[name].as_strategy(generation_mode=mode), known=st.booleans())
    def check(case: Case[Any], known: bool) -> None:
        if known and "name" in (case.path_parameters or {}):
            case.path_parameters["name"] = "disputes"
        answer = building.answer(case)
        case.validate_response(answer, checks=[not_a_server_error])
        if answer.is_success:
            case.validate_response(answer, checks=[response_schema_conformance])
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code

    check()


def test_every_route_says_what_it_is_and_how_it_refuses() -> None:
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert "application/problem+json" in operation["responses"]["422"]["content"], path
    assert "HTTPValidationError" not in json.dumps(DOCUMENT)
    assert STREAMS in DOCUMENT["paths"]
