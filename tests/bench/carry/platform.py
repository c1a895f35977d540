"""A platform that costs next to nothing: prepared results, one position per trigger, and the stop-watch of the bench.

Run as a process of its own. It notes the time and the CPU time of the process under test when its trigger passes the
warm-up mark and the end, at the very request that does it, so that nobody has to poll.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from tests.bench.carry.results import results


def cpu_ns(pid: int) -> int:
    """Of all its threads, user and system, to the nanosecond (the kernel's scheduler statistics)."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


@dataclass(slots=True)
class Watch:
    """What is measured of one trigger; `marks` holds (seconds, CPU nanoseconds) at `warm_at` and at `end_at`."""

    pid: int
    warm_at: int
    end_at: int
    marks: dict[int, tuple[float, int]] = field(default_factory=dict)

    def passed(self, position: int) -> None:
        for mark in (self.warm_at, self.end_at):
            if position >= mark and mark not in self.marks:
                self.marks[mark] = (time.monotonic(), cpu_ns(self.pid))


class Stage:
    """All triggers stand over the same results; one that nobody asked for yet begins at 0."""

    def __init__(self, prepared: list[bytes]) -> None:
        self.prepared = prepared
        self.positions: dict[str, int] = {}
        self.watches: dict[str, Watch] = {}

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """The body of the answer to a request."""
        *_, trigger, operation = path.split("/")
        if operation == "fetch":
            return self._page(self.positions.get(trigger, 0), json.loads(body)["size"])
        if operation == "advance":
            position = int(json.loads(body)["sequence_id"].removeprefix("at-"))
            self.positions[trigger] = position
            if trigger in self.watches:
                self.watches[trigger].passed(position)
            return b'{"status":"ok","sequence_id":"at-%d"}' % position
        if operation == "watch" and method == "POST":
            self.watches[trigger] = Watch(**json.loads(body))
            return b"{}"
        if operation == "watch":
            watch = self.watches[trigger]
            return json.dumps({"position": self.positions.get(trigger, 0), "marks": watch.marks}).encode()
        return b'{"status":"ok"}'

    def _page(self, position: int, size: int) -> bytes:
        page = self.prepared[position : position + size]
        end = position + len(page)
        is_end = b"true" if end >= len(self.prepared) else b"false"
        return b'{"status":"ok","filtered":0,"sequence_id":"at-%d","is_end_sequence":%b,"results":[%b]}' % (
            end,
            is_end,
            b",".join(page),
        )


class Connection(asyncio.Protocol):
    """HTTP/1.1 as far as the bench's clients speak it: keep-alive, bodies with a length."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._read = bytearray()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._read[:end]).decode("latin-1")
            begin = end + 4
            length = _content_length(head)
            if len(self._read) < begin + length:
                return
            body = bytes(self._read[begin : begin + length])
            del self._read[: begin + length]
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            answer = self._stage.answer(method, target.partition("?")[0], body)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
            )
            self._transport.write(answer)


def _content_length(head: str) -> int:
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


async def serve(port: int, count: int) -> None:
    """Until the process is ended."""
    stage = Stage(results(count))
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stage), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
