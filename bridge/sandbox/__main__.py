"""`python -m bridge.sandbox`: the server as a process."""

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge.sandbox.auth import ALL_PERMISSIONS, Permission, parse_permissions
from bridge.sandbox.endpoint import TRANSPORT_KEY
from bridge.sandbox.openapi import document
from bridge.sandbox.server import create_app
from bridge.sandbox.settings import DEFAULT_TOKEN, Profile, Settings, StaleAdvance, StartAt

EXIT_OK, EXIT_USAGE = 0, 2
KEEP_ALIVE_S = 75
"""Longer than clients keep idle connections, so that the server is not the one to close them in between."""
STOP_S = 2


class CuttableProtocol(H11Protocol):
    """Lets a fault reach the connection that its request came in on."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        inner: Any = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT_KEY] = transport
            await inner(scope, receive, send)

        self.app = app


class AnnouncingServer(uvicorn.Server):
    """Says on standard output where it listens, and leaves signals to `_serve`."""

    def __init__(self, config: uvicorn.Config, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
        url = f"http://{host}:{port}{self._settings.prefix.rstrip('/')}"
        facts = {"url": url, "profile": self._settings.profile, "db": str(self._settings.db)}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()

    @contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(settings: Settings, host: str, port: int) -> None:
    config = uvicorn.Config(
        create_app(settings),
        host=host,
        port=port,
        http=CuttableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
    )
    server = AnnouncingServer(config, settings)

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve()


async def _print_openapi(settings: Settings) -> None:
    """The document as it would be served, without touching the file."""
    app = create_app(replace(settings, db=Path(":memory:"), log_file=None))
    routes = [each for each in app.routes if isinstance(each, Route)]
    sys.stdout.write(json.dumps(document(settings.profile, app.state.sandbox.shapes, routes), indent=2) + "\n")
    await app.state.sandbox.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bridge sandbox",
        description="A local server of the platform's HTTP API. Its token: SANDBOX_TOKEN (default: sandbox).",
        epilog="example: bridge sandbox --port 8900 --db sandbox.sqlite --profile 2020",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one and says which")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--db", type=Path, default=Path("sandbox.sqlite"), help="made if it is not there")
    parser.add_argument("--profile", choices=[*Profile], default=Profile.TODAY, help="the era of the answers")
    parser.add_argument("--prefix", default="", help="a path before /api, as tenants have")
    parser.add_argument("--tokens", type=Path, help='more tokens: {"<token>": ["View sources", ...]}')
    parser.add_argument("--log", type=Path, help="append every fetch, advance and reset to this file")
    parser.add_argument("--start-at", choices=[*StartAt], default=StartAt.BEGINNING, help="where new triggers stand")
    parser.add_argument("--stale-advance", choices=[*StaleAdvance], default=StaleAdvance.MOVES_BACK)
    parser.add_argument(
        "--redeliver-changed", action="store_true", help="a changed text comes again, as a new sequence"
    )
    parser.add_argument("--no-warm", action="store_true", help="predict only what is fetched")
    parser.add_argument("--openapi", action="store_true", help="print the OpenAPI document of the profile and end")
    return parser


def _tokens(path: Path | None, environment: Mapping[str, str]) -> dict[str, frozenset[Permission]]:
    """Raises OSError or ValueError for a file that cannot be used."""
    tokens = {environment.get("SANDBOX_TOKEN", DEFAULT_TOKEN): ALL_PERMISSIONS}
    if path is not None:
        listed = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(listed, dict) or not all(isinstance(words, list) for words in listed.values()):
            raise ValueError(f"{path}: an object of token: [permission, ...] is needed")
        tokens |= {token: parse_permissions(words) for token, words in listed.items()}
    return tokens


def main(argv: list[str] | None = None) -> int:
    """Runs until SIGTERM or SIGINT; 2 for bad usage."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        settings = Settings(
            db=args.db,
            profile=Profile(args.profile),
            tokens=_tokens(args.tokens, os.environ),
            admin_token=os.environ.get("SANDBOX_ADMIN_TOKEN"),
            prefix=args.prefix,
            redeliver_changed=args.redeliver_changed,
            start_at=StartAt(args.start_at),
            stale_advance=StaleAdvance(args.stale_advance),
            warm=not args.no_warm,
            log_file=args.log,
        )
        asyncio.run(_print_openapi(settings) if args.openapi else _serve(settings, args.host, args.port))
    except (OSError, ValueError, sqlite3.Error) as error:
        sys.stderr.write(f"bridge sandbox: {error}\n")
        return EXIT_USAGE
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
