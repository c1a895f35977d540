"""The ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.sandbox.box import Sandbox, open_sandbox
from bridge.sandbox.errors import ApiError
from bridge.sandbox.openapi import openapi_route
from bridge.sandbox.routes import (
    admin,
    comments,
    datasets,
    labels,
    predictions,
    private,
    raw_emails,
    session,
    sources,
    triggers,
    validation,
)
from bridge.sandbox.settings import Settings
from bridge.sandbox.wire import error_response

PHRASES = {404: "404 Not Found", 405: "405 Method Not Allowed"}


class PathMiddleware:
    """Takes the tenant prefix off, and one of two leading slashes (trap 35).

    `owner%2Fname` needs nothing: routing is on the decoded path (trap 34).
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": self._inner(scope["path"])}
        await self.app(scope, receive, send)

    def _inner(self, path: str) -> str:
        if self.prefix and not path.startswith("/_sandbox/"):
            if not path.startswith(self.prefix + "/"):
                return "/outside-prefix"
            path = path[len(self.prefix) :]
        return path[1:] if path.startswith("//") else path


def create_app(settings: Settings) -> Starlette:
    """The server over one file. Where no lifespan is run, `await app.state.sandbox.close()` ends it."""
    box = open_sandbox(settings)
    app = Starlette(
        routes=_routes(box),
        middleware=[Middleware(PathMiddleware, prefix=settings.prefix)],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.sandbox = box
    return app


def _routes(box: Sandbox) -> list[BaseRoute]:
    # Longer paths first: `/sources/x/y/sync` is no source of three segments.
    groups = (
        admin,
        session,
        private,
        labels,
        predictions,
        validation,
        raw_emails,
        triggers,
        comments,
        datasets,
        sources,
    )
    routes = [each for group in groups for each in group.routes(box)]
    return [openapi_route(box, routes), *routes]


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    box: Sandbox = app.state.sandbox
    box.warm()
    yield
    await box.close()


async def _refuse(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_response(ApiError(status, PHRASES.get(status, f"{status} Error")))


async def _fail(_: Request, _error: Exception) -> Response:
    return error_response(ApiError(500, "500 Internal Server Error"))
