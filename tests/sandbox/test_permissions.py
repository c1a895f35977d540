"""Every route of the platform asks for its own permissions and for nothing more, in both profiles."""

import re

import pytest
from starlette.routing import Route

from bridge.sandbox.auth import parse_permissions
from bridge.sandbox.endpoint import Endpoint
from bridge.sandbox.server import create_app
from bridge.sandbox.settings import Profile, Settings
from tests.sandbox.driver import Driver

READ = "View sources"
LABELS = "View labels, View sources"
SOURCES = "Sources admin"
DATASETS = "Datasets admin, View sources"
EDIT = "Edit verbatims"
REVIEW = "Review and label, View sources"
MARK = "Consume triggers, View sources"
CONSUME = "Consume triggers, View labels, View sources"
MOVE = "Consume triggers, View labels"
ADMIN, VIEW = "Triggers admin, View labels", "View triggers, View labels"
"""Of today; in 2020 both ask for View sources too."""

ROUTES = {
    "GET /auth/user": "",
    "POST /auth/refresh-user-permissions": "",
    "GET /api/v1/sources": READ,
    "GET /api/v1/sources/{owner}": READ,
    "DELETE /api/v1/sources/{owner}": SOURCES,
    "GET /api/v1/sources/{owner}/{source}": READ,
    "PUT /api/v1/sources/{owner}/{source}": SOURCES,
    "POST /api/v1/sources/{owner}/{source}": SOURCES,
    "POST /api/v1/sources/{owner}/{source}/statistics": READ,
    "POST /api/v1/sources/{owner}/{source}/sync": EDIT,
    "POST /api/v1/sources/{owner}/{source}/sync-raw-emails": EDIT,
    "GET /api/v1/sources/{owner}/{source}/comments/{comment}": READ,
    "DELETE /api/v1/sources/{owner}/{source}/comments": EDIT,
    "GET /api/_private/sources/{owner}/{source}/comments": READ,
    "PUT /api/_private/sources/{owner}/{source}/comments": EDIT,
    "GET /api/_private/buckets": READ,
    "GET /api/_private/projects": READ,
    "GET /api/v1/datasets": LABELS,
    "GET /api/v1/datasets/{owner}": LABELS,
    "DELETE /api/v1/datasets/{owner}": DATASETS,
    "GET /api/v1/datasets/{owner}/{dataset}": LABELS,
    "PUT /api/v1/datasets/{owner}/{dataset}": DATASETS,
    "POST /api/v1/datasets/{owner}/{dataset}": DATASETS,
    "DELETE /api/v1/datasets/{owner}/{dataset}": DATASETS,
    "POST /api/v1/datasets/{owner}/{dataset}/sync-annotations": REVIEW,
    "GET /api/_private/datasets/{owner}/{dataset}/labellings": LABELS,
    "POST /api/_private/datasets/{owner}/{dataset}/labellings/{uid}": REVIEW,
    "POST /api/v1/datasets/{owner}/{dataset}/labellers/{version}/predict": LABELS,
    "POST /api/v1/datasets/{owner}/{dataset}/labellers/{version}/predict-comments": LABELS,
    "POST /api/v1/datasets/{owner}/{dataset}/labellers/{version}/predict-raw-emails": LABELS,
    "GET /api/v1/datasets/{owner}/{dataset}/labellers/{version}/validation": LABELS,
    "GET /api/_private/datasets/{owner}/{dataset}/labellers/{version}/validation": LABELS,
    "POST /api/_private/datasets/{owner}/{dataset}/labellers/{version}/label-validation": LABELS,
    "GET /api/v1/datasets/{owner}/{dataset}/streams/{trigger}/results": CONSUME,
    "GET /api/preview/datasets/{owner}/{dataset}/streams/{trigger}/results": CONSUME,
}
OF_TRIGGERS = {
    "GET": VIEW,
    "PUT": ADMIN,
    "GET /{trigger}": VIEW,
    "POST /{trigger}": "Modify triggers",
    "DELETE /{trigger}": ADMIN,
    "POST /{trigger}/fetch": CONSUME,
    "POST /{trigger}/advance": MOVE,
    "POST /{trigger}/reset": MOVE,
    "PUT /{trigger}/exceptions": MARK,
    "DELETE /{trigger}/exceptions": MARK,
}
VALUES = {
    "owner": "org1",
    "source": "mail",
    "dataset": "collateral",
    "trigger": "dispute",
    "version": "0",
    "comment": "0a",
    "uid": "a.b",
}


def table(profile: Profile) -> dict[str, frozenset[str]]:
    """Permissions by method and path."""
    found = dict(ROUTES)
    for word in ("triggers", "streams"):
        for line, needed in OF_TRIGGERS.items():
            method, _, tail = line.partition(" ")
            late = profile is Profile.Y2020 and (needed in (VIEW, ADMIN) or tail.endswith("/advance"))
            path = f"/api/v1/datasets/{{owner}}/{{dataset}}/{word}{tail}"
            found[f"{method} {path}"] = f"{needed}, View sources" if late else needed
    return {route: frozenset(needed.split(", ")) - {""} for route, needed in found.items()}


CASES = [
    pytest.param(profile, route, needed, id=f"{route}-{profile}")
    for profile in Profile
    for route, needed in table(profile).items()
]


def address(route: str) -> tuple[str, str]:
    method, _, path = route.partition(" ")
    return method, re.sub(r"{(\w+)}", lambda match: VALUES[match.group(1)], path)


@pytest.mark.parametrize(("each", "route", "needed"), CASES, indirect=["each"])
async def test_it_answers_401_or_403_without_and_neither_with_them(
    each: Driver, route: str, needed: frozenset[str]
) -> None:
    method, path = address(route)
    await each.refused(401, method, path, {}, headers={"authorization": ""})
    bearer = {"authorization": "Bearer some"}
    for missing in needed:
        each.box.tokens.grant("some", parse_permissions(["all"]) - parse_permissions([missing]))
        assert await each.refused(403, method, path, {}, headers=bearer) == (
            f"403 Forbidden: missing permissions: {missing}"
        )
    each.box.tokens.grant("some", parse_permissions(needed))
    assert (await each.send(method, path, {}, headers=bearer)).status_code in (200, 400, 404, 405)


async def test_no_route_is_missing_from_the_table(each: Driver) -> None:
    app = create_app(Settings(db=each.box.settings.db, profile=each.box.settings.profile, warm=False))
    served = {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, Route) and isinstance(route.endpoint, Endpoint) and not route.endpoint.admin
        for method in (route.methods or set()) - {"HEAD"}
    }
    await app.state.sandbox.close()
    assert served == set(table(each.box.settings.profile))


async def test_the_user_is_shown_what_the_token_may(each: Driver) -> None:
    await each.prepare()
    each.box.tokens.grant("some", parse_permissions([READ]))
    response = await each.send("GET", "/auth/user", headers={"authorization": "Bearer some"})
    assert response.json()["user"]["organisation_permissions"] == {"org1": [READ]}
