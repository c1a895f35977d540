"""The OpenAPI 3.1 document of this server, made from what it routes by and validates with."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.box import Sandbox
from bridge.sandbox.endpoint import Endpoint
from bridge.sandbox.openapi_answers import answer_schema, has_body_of_its_own, query_of
from bridge.sandbox.schema import Shape
from bridge.sandbox.settings import Profile
from bridge.sandbox.shapes import COMMENT_ID_2020, COMMENT_ID_TODAY, NAME_PATTERN, OWNER_PATTERN, Shapes
from bridge.sandbox.wire import encode

PATH: Final = "/openapi.json"
JSON: Final = "application/json"
ERROR: Final = {
    "type": "object",
    "required": ["status", "message"],
    "additionalProperties": False,
    "properties": {"status": {"const": "error"}, "message": {"type": "string"}},
}
REASONS: Final = {
    400: "The request does not fit its shape, or a limit",
    401: "No access token, or none that is known",
    403: "The token lacks a permission",
    404: "Not there",
    405: "Not with this method",
    409: "The name is taken",
    413: "The body is larger than this server reads",
    422: "Well formed, and refused all the same",
}
ALWAYS: Final = (400, 401, 403, 413)
"""413 without a body of one's own too: whatever is sent along is read."""
_VARIABLE = re.compile(r"{(\w+)(?::\w+)?}")


def document(profile: Profile, shapes: Shapes, routes: Iterable[Route]) -> dict[str, Any]:
    """Of the platform's routes as they are served; this server's own ones under `/_sandbox/` are not in it."""
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for path, method, endpoint in _platform_routes(routes):
        plain = _VARIABLE.sub(r"{\1}", path)
        paths.setdefault(plain, {})[method] = _operation(profile, shapes, plain, method, endpoint, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bridge sandbox",
            "version": profile.value,
            "description": "What the local platform server answers in this profile; GAPS.md says what it leaves out.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR},
        },
    }


def _platform_routes(routes: Iterable[Route]) -> Iterator[tuple[str, str, Endpoint]]:
    for route in routes:
        endpoint: Any = route.endpoint
        if isinstance(endpoint, Endpoint) and not endpoint.admin:
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield route.path, method.lower(), endpoint


def _operation(
    profile: Profile, shapes: Shapes, path: str, method: str, endpoint: Endpoint, names: set[str]
) -> dict[str, Any]:
    needs = ", ".join(sorted(endpoint.permissions)) or "any token"
    summary = (endpoint.handler.__doc__ or "").partition("\n")[0].strip()
    shape = shape_of(shapes, endpoint, method)
    operation: dict[str, Any] = {
        "operationId": _unique(_named(endpoint), names),
        "tags": [path.split("/")[3] if path.startswith("/api/") else "session"],
        **({"summary": summary} if summary else {}),
        "description": f"Needs: {needs}.",
        "parameters": [*_path_parameters(profile, path, endpoint), *query_of(endpoint.operation)],
        "responses": _responses(endpoint, path),
    }
    if shape is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": shape.schema}}}
    return operation


def _named(endpoint: Endpoint) -> str:
    return endpoint.operation.replace("trigger", endpoint.word)


def _unique(name: str, names: set[str]) -> str:
    """Some operations have more than one address: the second is `<name>_2`."""
    free = next(each for each in (name, *(f"{name}_{number}" for number in range(2, 100))) if each not in names)
    names.add(free)
    return free


def shape_of(shapes: Shapes, endpoint: Endpoint, method: str) -> Shape | None:
    """What the body must fit: the shape named as the operation, with its two words turned round, or none."""
    if method not in ("post", "put"):
        return None
    turned = "_".join(reversed(endpoint.operation.split("_", 1)))
    candidates = (endpoint.operation, turned, has_body_of_its_own(endpoint.operation))
    found = next((getattr(shapes, name) for name in candidates if hasattr(shapes, name)), None)
    if isinstance(found, Mapping):
        found = found[endpoint.word]
    return found if isinstance(found, Shape) else None


def _path_parameters(profile: Profile, path: str, endpoint: Endpoint) -> list[dict[str, Any]]:
    comment_id = COMMENT_ID_2020 if profile is Profile.Y2020 else COMMENT_ID_TODAY
    patterns = {
        "owner": OWNER_PATTERN,
        "source": NAME_PATTERN,
        "dataset": NAME_PATTERN,
        "trigger": NAME_PATTERN,
        "comment": comment_id,
        "version": r"^([0-9]{1,9}|live|staging)$",
    }
    only_by_id = endpoint.operation.startswith(("list_", "delete_")) and _VARIABLE.findall(path) == ["owner"]
    if only_by_id:
        patterns["owner"] = r"^id:[0-9a-f]{16}$" if endpoint.operation.startswith("delete_") else r"^[A-Za-z0-9_.:-]+$"
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", **({"pattern": patterns[name]} if name in patterns else {"minLength": 1})},
        }
        for name in _VARIABLE.findall(path)
    ]


def _responses(endpoint: Endpoint, path: str) -> dict[str, Any]:
    codes = {*ALWAYS}
    if "{" in path:
        codes |= {404, 405}
    if endpoint.operation.startswith("create_") or endpoint.operation in ("put_comments", "sync_raw_emails"):
        codes.add(409)
    if "{dataset}" in path or endpoint.operation in ("create_dataset", "sync_raw_emails"):
        codes.add(422)
    refusals = {
        str(code): {
            "description": REASONS[code],
            "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for code in sorted(codes)
    }
    success = {"description": "Done", "content": {JSON: {"schema": answer_schema(endpoint.operation, endpoint.word)}}}
    return {"200": success, **refusals}


def openapi_route(box: Sandbox, routes: Iterable[Route]) -> Route:
    """Serves the document, to anyone: it tells nothing that the repository does not."""
    body = encode(document(box.settings.profile, box.shapes, routes))

    async def show(_: Any) -> Response:
        return Response(body, media_type=JSON)

    return Route(PATH, show, methods=["GET"])
