"""The admin API, put together."""

from __future__ import annotations

from fastapi import FastAPI

from bridge import __version__
from bridge.app.admin import problems
from bridge.app.admin.browser import BrowserGuard
from bridge.app.admin.documents import document_routes
from bridge.app.admin.explaining import explain_routes
from bridge.app.admin.health import health_routes
from bridge.app.admin.limits import BodyLimit
from bridge.app.admin.parts import AdminParts
from bridge.app.admin.resets import reset_routes
from bridge.app.admin.traces import trace_routes
from bridge.app.admin.triggers import trigger_routes
from bridge.app.admin.watching import watch_routes

__all__ = ["AdminParts", "create_admin"]


def create_admin(parts: AdminParts) -> FastAPI:
    """The ASGI application; it runs in the event loop of the workers."""
    app = FastAPI(
        title="bridge admin API", version=__version__, docs_url=None, redoc_url=None, responses=problems.DOCUMENTED
    )
    problems.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(BrowserGuard)
    app.include_router(document_routes())
    app.include_router(health_routes(parts.supervisor, parts.pings, parts.clock))
    for routes in (trigger_routes, reset_routes, explain_routes, trace_routes, watch_routes):
        app.include_router(routes(parts))
    return app
