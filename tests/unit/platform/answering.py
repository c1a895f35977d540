"""A platform by script: an ASGI app that gives prepared answers and remembers what it was asked."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bridge.adapters.platform.client import PlatformClient
from bridge.adapters.platform.settings import Api, PlatformSettings
from bridge.domain.model import TriggerRef
from tests.fakes.clock import FakeClock

REF = TriggerRef(project="org1", dataset="collateral", trigger="dispute")
TOKEN = "s3cret-t0ken"
BASE_URL = "https://platform.test/acme/prod/reinfer_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One prepared answer; `body` that is not bytes is sent as JSON."""

    body: Any = field(default_factory=lambda: {"status": "ok"})
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Platform:
    """Answers in turn, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers or (Answer(),))
        self.asked: list[Asked] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.asked.append(
            Asked(
                method=scope["method"],
                path=scope["raw_path"].decode(),
                query=scope["query_string"].decode(),
                headers={name.decode(): value.decode() for name, value in scope["headers"]},
                body=body,
            )
        )
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.popleft()
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})


def settings_of(
    *, base_url: str = BASE_URL, api: Api = Api.TRIGGERS, token_file: Path | None = None, **more: Any
) -> PlatformSettings:
    token = None if token_file else TOKEN
    return PlatformSettings(base_url=base_url, token=token, token_file=token_file, api=api, **more)


@asynccontextmanager
async def client_of(
    platform: Platform, settings: PlatformSettings | None = None, **more: Any
) -> AsyncIterator[PlatformClient]:
    """A client whose every request goes to the script."""
    transport = httpx.ASGITransport(app=platform)
    async with PlatformClient(settings or settings_of(), FakeClock(), transport=transport, **more) as client:
        yield client
