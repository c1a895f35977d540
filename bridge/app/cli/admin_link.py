"""How remote commands reach a running bridge, and how its refusals become sentences and exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
import typer

from bridge.app.cli.exits import Exit, refuse
from bridge.app.config.values import is_loopback

TOKEN_VARIABLE = "BRIDGE_ADMIN_TOKEN"  # noqa: S105  the variable's name, not a token
URL = "http://127.0.0.1:8080"
PREFIX = "/api/v1"
TIMEOUT_S = 60.0
"""More than any route takes: a trace reads topics, a reset asks the platform."""
BODY_BYTES_MAX = 64 * 1024 * 1024
PAGE_SIZE = 1000
TRIES = 3

Url = Annotated[str, typer.Option("--url", envvar="BRIDGE_ADMIN_URL", help="The admin API, without /api")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help=f"Where the token is; else the variable {TOKEN_VARIABLE}")
]
Insecure = Annotated[
    bool,
    typer.Option("--allow-insecure", help="Send the token over plain http to another machine, readable on the way"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]

WHAT_TO_DO = {
    "unauthorized": f"set {TOKEN_VARIABLE} to one of the tokens of the bridge's configuration",
    "forbidden": f"set {TOKEN_VARIABLE} to the operate token; without tokens, ask on the bridge's own machine",
    "unknown_trigger": "`bridge status` lists the triggers",
    "conflict": "`bridge status TRIGGER` shows what is under way",
    "reset_conflict": "`bridge status TRIGGER` shows what is under way",
    "would_skip": "to leave them out for good, repeat with --allow-skip",
}
"""By the code of a problem; the sentences of most others say it themselves."""

Json = Mapping[str, Any]


class RefusedError(Exception):
    """The bridge does not do it, or cannot be asked: how the command ends, and the sentence."""

    def __init__(self, exit_code: Exit, sentence: str) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class Admin:
    """The admin API. Every method raises RefusedError and nothing else."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, *path: str, **query: str) -> dict[str, Any]:
        """One resource."""
        return await self._asked("GET", path, params={name: value for name, value in query.items() if value})

    async def post(self, *path: str, body: Json | None = None) -> dict[str, Any]:
        """Ask for something to be done. An answer that was lost is asked for again, and it is done once."""
        headers = {"Idempotency-Key": uuid4().hex}
        for left in reversed(range(TRIES)):
            try:
                return await self._asked("POST", path, json=body, headers=headers)
            except RefusedError as refused:
                if not (left and isinstance(refused.__cause__, httpx.ReadError | httpx.RemoteProtocolError)):
                    raise
        raise AssertionError("the last try gives an answer or raises")

    async def rows(self, key: str, *path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        """All of a list, page by page."""
        after = ""
        while True:
            page = await self.get(*path, **query, limit=str(PAGE_SIZE), after=after)
            for row in page[key]:
                yield row
            after = page.get("next") or ""
            if not after:
                return

    async def _asked(self, method: str, path: tuple[str, ...], **said: Any) -> dict[str, Any]:
        where = "/".join([PREFIX, *(quote(part, safe="") for part in path)])
        try:
            async with self._http.stream(method, where, **said) as answer:
                body = await _bounded(answer)
        except httpx.HTTPError as error:
            raise RefusedError(
                Exit.NEIGHBOUR_MISSING,
                f"the bridge at {self._http.base_url} does not answer ({type(error).__name__}): is it running, and is"
                " --url its admin address?",
            ) from error
        found = _object(body)
        if answer.is_success and found is not None:
            return found
        raise _refusal(answer.status_code, found, str(self._http.base_url))


async def _bounded(answer: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise httpx.DecodingError(f"an answer of more than {BODY_BYTES_MAX} bytes")
        parts.append(part)
    return b"".join(parts)


def _object(body: bytes) -> dict[str, Any] | None:
    """Empty where there is nothing to be said; None where it is no object."""
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return None
    return {} if found is None else found if isinstance(found, dict) else None


def _refusal(status: int, problem: dict[str, Any] | None, url: str) -> RefusedError:
    """From a problem document (RFC 9457); anything else was not said by a bridge."""
    if problem is None or not str(problem.get("type", "")).startswith("urn:bridge:"):
        sentence = f"{url} answered {status}, and not as the admin API of a bridge does: is --url right?"
        return RefusedError(Exit.USAGE, sentence)
    code = str(problem["type"]).removeprefix("urn:bridge:")
    sentence = str(problem.get("detail") or problem.get("title") or code)
    advice = WHAT_TO_DO.get(code, "")
    return RefusedError(_exit_code(status), f"{sentence}\n  {advice}" if advice else sentence)


def _exit_code(status: int) -> Exit:
    if status in (429, 502, 503, 504):
        return Exit.NEIGHBOUR_MISSING
    return Exit.USAGE if status in (400, 401, 403, 404, 422) else Exit.FAILED


def with_admin(
    url: str, token_file: Path | None, work: Callable[[Admin], Awaitable[Exit]], *, allow_insecure: bool
) -> typer.Exit:
    """Do the work; to be raised. What the bridge refuses is said on stderr."""
    headers = _headers(url, token_file, allow_insecure=allow_insecure)

    async def run() -> Exit:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S) as http:
            return await work(Admin(http))

    try:
        return typer.Exit(asyncio.run(run()))
    except RefusedError as refused:
        print(f"error: {refused}", file=sys.stderr)
        return typer.Exit(refused.exit_code)
    except KeyboardInterrupt:
        print("interrupted: what was asked for goes on", file=sys.stderr)
        return typer.Exit(Exit.FAILED)


def _headers(url: str, token_file: Path | None, *, allow_insecure: bool) -> dict[str, str]:
    parts = _checked(url)
    token = _token(token_file)
    if not token:
        return {}
    if parts.scheme == "http" and not is_loopback(parts.hostname or "") and not allow_insecure:
        raise refuse(
            f"the token would travel readable to {parts.hostname} over plain http: use https, forward the port to this"
            " machine, or say --allow-insecure"
        )
    return {"Authorization": f"Bearer {token}"}


def _checked(url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise refuse(f"--url {url}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise refuse(f"--url {parts.scheme}://{parts.hostname or ''}: an address such as {URL} is needed")
    return parts


def _token(token_file: Path | None) -> str:
    if token_file is None:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
    else:
        try:
            token = token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise refuse(f"--token-file {token_file}: {error}") from error
    if not (token.isascii() and token.isprintable()):
        raise refuse("a token of other characters than ASCII cannot be sent")
    return token
