"""The page at `/` and the API's documentation at `/docs`: files of this package, from no other host."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Request, Response

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file, read once."""

    body: bytes
    media_type: str
    etag: str


def document_routes() -> APIRouter:
    """No token: what is in these files is in everybody's hands; the data behind them is not."""
    router = APIRouter(include_in_schema=False)
    documents = _documents()

    def answer(request: Request, name: str) -> Response:
        if name not in documents:
            raise HTTPException(404, f"there is no file {name!r}")
        document = documents[name]
        headers = {"ETag": document.etag, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == document.etag:
            return Response(status_code=304, headers=headers)
        return Response(document.body, media_type=document.media_type, headers=headers)

    @router.get("/")
    async def page(request: Request) -> Response:
        return answer(request, "index.html")

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        return answer(request, "docs.html")

    @router.get("/page/{name}")
    async def file(request: Request, name: str) -> Response:
        return answer(request, name)

    return router


def _documents() -> dict[str, Document]:
    found = {}
    for file in files("bridge.app.admin").joinpath("page").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix in MEDIA_TYPES:
            body = file.read_bytes()
            etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
            found[file.name] = Document(body=body, media_type=MEDIA_TYPES[suffix], etag=etag)
    return found
