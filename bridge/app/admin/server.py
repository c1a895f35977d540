"""Serves the admin API in the workers' own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI
from typing_extensions import override

from bridge.domain.errors import Fatal

STOP_TIMEOUT_S = 5


class _Server(uvicorn.Server):
    """One whose signals are the service's own: SIGTERM drains the workers first."""

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: FastAPI, host: str, port: int, leaving: asyncio.Event) -> AsyncIterator[int]:
    """Listen until the block ends; gives the port, which the system chooses for 0. Raises Fatal where it is taken.

    `leaving` is set at the end, for answers that stream: they would be waited for otherwise.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    try:
        listening = config.bind_socket()
    except (OSError, SystemExit) as error:
        raise Fatal(f"the admin API cannot listen on {host}:{port}", code="admin_port") from error
    server = _Server(config)
    task = asyncio.create_task(server.serve([listening]), name="admin api")
    try:
        yield int(listening.getsockname()[1])
    finally:
        leaving.set()
        server.should_exit = True
        await asyncio.wait([task], timeout=STOP_TIMEOUT_S * 2)
        listening.close()
