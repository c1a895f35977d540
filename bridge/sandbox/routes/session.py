"""What the vendor's own client asks before every command (fact sheet section 12.2)."""

from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.auth import Permission
from bridge.sandbox.box import Sandbox
from bridge.sandbox.endpoint import Call, Endpoint, route
from bridge.sandbox.store.holders import Kind, list_holders
from bridge.sandbox.times import print_ms
from bridge.sandbox.wire import ok

ANYONE: frozenset[Permission] = frozenset()
KINDS: tuple[Kind, ...] = ("sources", "datasets")


async def user(call: Call) -> Response:
    """One user stands behind every token; what the token may is shown for each owner there is."""
    held = sorted(call.box.tokens.held(call.request.headers.get("authorization")))
    owners = sorted({each.owner for kind in KINDS for each in list_holders(call.box.db, kind)})
    return ok(
        user={
            "id": "0000000000000001",
            "username": "sandbox",
            "email": "sandbox@example.com",
            "created": print_ms(0),
            "global_permissions": [],
            "organisation_permissions": dict.fromkeys(owners, held),
            "sso_global_permissions": [],
            "verified": True,
        }
    )


async def refresh(call: Call) -> Response:
    """Nothing to do: a token's permissions hold from the moment they are given."""
    call.json(call.box.shapes.refresh_permissions)
    return ok(permissions_refreshed=True)


def routes(box: Sandbox) -> list[Route]:
    return [
        route("GET", "/auth/user", Endpoint(box, "get_user", ANYONE, user)),
        route("POST", "/auth/refresh-user-permissions", Endpoint(box, "refresh_permissions", ANYONE, refresh)),
    ]
