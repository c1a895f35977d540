"""What the vendor's own client asks before every command (fact sheet section 12.2)."""

from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.times import print_ms
from bridge.sandbox.wire import ok

ANYONE: frozenset[Permission] = frozenset()


async def user(_: Call) -> Response:
    """One user stands behind every token."""
    return ok(
        user={
            "id": "0000000000000001",
            "username": "sandbox",
            "email": "sandbox@example.com",
            "created": print_ms(0),
            "global_permissions": [],
            "organisation_permissions": {},
            "sso_global_permissions": [],
            "verified": True,
        }
    )


async def refresh(_: Call) -> Response:
    return ok(permissions_refreshed=True)


def routes(box: Sandbox) -> list[Route]:
    return [
        route("GET", "/auth/user", Endpoint(box, "get_user", ANYONE, user)),
        route("POST", "/auth/refresh-user-permissions", Endpoint(box, "refresh_permissions", ANYONE, refresh)),
    ]
