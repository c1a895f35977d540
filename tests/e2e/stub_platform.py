"""A platform whose pages are made by hand: what the sandbox would refuse or put right reaches the service as it is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override


@dataclass(slots=True)
class StubPlatform:
    """One trigger that delivers these bytes in their order; its position is a number behind `at-`."""

    results: Sequence[bytes]
    position: int = 0
    url: str = ""
    broken: list[bytes] = field(default_factory=list)
    """Pages that are served in between, each before a right one."""
    fetches: int = 0

    def answer(self, operation: str, body: bytes) -> bytes:
        """The body of an answer."""
        asked = json.loads(body or b"{}")
        if operation == "fetch":
            self.fetches += 1
            return self.broken.pop(0) if self.broken and self.fetches % 2 else self._page(asked["size"])
        if operation == "advance":
            self.position = int(asked["sequence_id"].removeprefix("at-"))
        return b'{"status":"ok","sequence_id":"at-%d"}' % self.position

    def _page(self, size: int) -> bytes:
        page = self.results[self.position : self.position + size]
        end = self.position + len(page)
        is_end = b"true" if end == len(self.results) else b"false"
        return b'{"status":"ok","filtered":0,"sequence_id":"at-%d","is_end_sequence":%b,"results":[%b]}' % (
            end,
            is_end,
            b",".join(page),
        )


@contextmanager
def stub_platform(results: Sequence[bytes]) -> Iterator[StubPlatform]:
    """On a free loopback port, in threads of its own."""
    stub = StubPlatform(results)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = stub.answer(self.path.rpartition("/")[2], body)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        @override
        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
