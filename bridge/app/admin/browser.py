"""What browsers are told and asked, so that no other site acts through one (D20)."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.app.admin.problems import problem

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # no script may make markup of text, not even by mistake
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OWN_SITE = ("same-origin", "none")


class BrowserGuard:
    """ASGI middleware: a strict policy on every answer, and no request that another site's page has made.

    Browsers say of themselves who asks: Sec-Fetch-Site where the address is trustworthy to them, else Origin. What
    sends neither is no browser, and is asked for its token or its address alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if scope["path"].startswith("/api/") and is_foreign(Headers(scope=scope)):
            refusal = problem(403, "foreign_site", "a page of another site asked for this; open the bridge's own page")
            await refusal(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)


def is_foreign(headers: Headers) -> bool:
    """Whether a browser sent this for a page that is not ours."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in OWN_SITE
    return origin is not None and _authority(origin) != headers.get("host")


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
