"""The OpenAPI document: whole, valid, and kept to, whatever it lets a client send."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.routing import Route

from bridge.sandbox.endpoint import Endpoint
from bridge.sandbox.openapi import document
from bridge.sandbox.server import create_app
from bridge.sandbox.settings import Profile, Settings
from tests.sandbox.driver import Driver, FixedClock, mail_labels, mails

EXAMPLES_MAX = 12
"""A case costs some 10 ms, most of it in the making of it; there are some fifty operations."""
BOUNDED = settings(
    max_examples=EXAMPLES_MAX,
    deadline=None,
    derandomize=True,
    database=None,
    # a case found is small enough: shrinking one of these schemas takes many minutes
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
KNOWN = {
    "owner": "org1",
    "source": "mail",
    "dataset": "collateral",
    "trigger": "dispute",
    "comment": "0001",
    "version": "0",
}


def documented(profile: Profile) -> dict[str, Any]:
    app = create_app(Settings(db=Path(":memory:"), profile=profile))
    made = document(profile, app.state.sandbox.shapes, [each for each in app.routes if isinstance(each, Route)])
    asyncio.run(app.state.sandbox.close())
    read: dict[str, Any] = json.loads(json.dumps(made))
    return read


DOCUMENT = documented(Profile.TODAY)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.config.update(base_url="http://sandbox")
OPERATIONS = {
    str(found.ok().definition.raw["operationId"]): found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok)
}


class World:
    """A sandbox that has one of everything, and the loop it lives on: the cases are drawn outside of any loop."""

    def __init__(self, db: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.driver = Driver(db, FixedClock())

    def run(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    def answer(self, case: Case[Any]) -> httpx.Response:
        kwargs = case.as_transport_kwargs(base_url="http://sandbox")
        request: dict[str, Any] = {
            str(key): kwargs[key] for key in ("method", "url", "params", "json", "data", "headers") if key in kwargs
        }
        if isinstance(request.get("data"), bytes | str):
            request["content"] = request.pop("data")
        headers = {name: value for name, value in dict(request.pop("headers", {})).items() if value is not None}
        answered: httpx.Response = self.run(
            self.driver.client.request(**request, headers={**headers, "authorization": "Bearer sandbox"})
        )
        return answered

    def close(self) -> None:
        self.run(self.driver.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


async def furnish(driver: Driver) -> None:
    await driver.prepare(entity_kinds=["email", "number"])
    await driver.upload(mails(20))
    await driver.annotate(mail_labels(20))
    await driver.create_trigger(model={"version": await driver.train_and_pin()})


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("openapi") / "world.sqlite"
    world = World(file)
    world.run(furnish(world.driver))
    world.close()
    return file


@pytest.fixture
def world(furnished: Path, tmp_path: Path) -> Iterator[World]:
    copy = tmp_path / "world.sqlite"
    shutil.copy(furnished, copy)
    made = World(copy)
    yield made
    made.close()


def aimed(case: Case[Any], known: set[str], uid: str) -> Case[Any]:
    """The case with the names of things that are there, where it says so: else nearly all would end in 404."""
    targets = {**KNOWN, "uid": uid}
    for name in set(case.path_parameters or {}) & known & set(targets):
        case.path_parameters[name] = targets[name]
    return case


def uid_in(world: World) -> str:
    answer = world.run(world.driver.ok("GET", "/api/v1/sources/org1/mail"))
    return f"{answer['source']['id']}.0001"


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_request_that_the_document_allows_fails_or_is_answered_otherwise_than_it_says(
    name: str, world: World
) -> None:
    uid = uid_in(world)

    @BOUNDED
    @given(case=OPERATIONS[name].as_strategy(), known=st.sets(st.sampled_from([*KNOWN, "uid"]), min_size=4))
    def check(case: Case[Any], known: set[str]) -> None:
        aimed(case, known, uid)
        case.validate_response(world.answer(case), checks=CHECKS)

    check()


@pytest.mark.parametrize("name", sorted(name for name, each in OPERATIONS.items() if each.body))
def test_a_body_that_does_not_fit_is_refused_as_the_document_says(name: str, world: World) -> None:
    uid = uid_in(world)

    @BOUNDED
    @given(case=OPERATIONS[name].as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
    def check(case: Case[Any]) -> None:
        aimed(case, {*KNOWN, "uid"}, uid)
        case.validate_response(world.answer(case), checks=CHECKS)

    check()


@pytest.mark.parametrize("profile", list(Profile))
def test_every_platform_route_is_in_it_and_nothing_else(profile: Profile) -> None:
    app = create_app(Settings(db=Path(":memory:"), profile=profile))
    routed = {
        (route.path.replace(":path", ""), method.lower())
        for route in app.routes
        if isinstance(route, Route) and isinstance(route.endpoint, Endpoint) and not route.endpoint.admin
        for method in (route.methods or set()) - {"HEAD"}
    }
    asyncio.run(app.state.sandbox.close())
    described = {(path, method) for path, item in documented(profile)["paths"].items() for method in item}
    assert described == routed


def test_bodies_are_the_very_shapes_the_server_validates_with() -> None:
    app = create_app(Settings(db=Path(":memory:")))
    shapes = app.state.sandbox.shapes
    asyncio.run(app.state.sandbox.close())
    triggers = DOCUMENT["paths"]["/api/v1/datasets/{owner}/{dataset}/streams"]["put"]
    assert body_of(triggers) == json.loads(json.dumps(shapes.trigger_create["stream"].schema))
    sync = DOCUMENT["paths"]["/api/v1/sources/{owner}/{source}/sync"]["post"]
    assert body_of(sync) == json.loads(json.dumps(shapes.sync.schema))


def body_of(operation: dict[str, Any]) -> Any:
    return operation["requestBody"]["content"]["application/json"]["schema"]


def test_what_writes_has_a_body_or_is_known_to_take_none() -> None:
    bare = {
        operation["operationId"]
        for item in DOCUMENT["paths"].values()
        for method, operation in item.items()
        if method in ("put", "post") and "requestBody" not in operation
    }
    assert bare <= {"refresh_permissions"}


@pytest.mark.parametrize("profile", list(Profile))
def test_every_schema_in_it_is_a_schema(profile: Profile) -> None:
    made = documented(profile)
    names = [operation["operationId"] for item in made["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))
    for item in made["paths"].values():
        for operation in item.values():
            for parameter in operation["parameters"]:
                Draft202012Validator.check_schema(parameter["schema"])
            if "requestBody" in operation:
                Draft202012Validator.check_schema(body_of(operation))


async def test_it_is_served_without_a_token(today: Driver) -> None:
    response = await today.client.get("/openapi.json", headers={"authorization": ""})
    assert response.status_code == 200
    assert response.json() == DOCUMENT


def test_it_is_printed_for_a_profile(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bridge.sandbox", "--openapi", "--profile", "2020"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ran.stdout) == documented(Profile.Y2020)
    assert not (tmp_path / "sandbox.sqlite").exists()
