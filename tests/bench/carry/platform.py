"""A platform that costs next to nothing: prepared results, one position per trigger, and the stop-watch of the bench.

Run as a process of its own. It notes the time and the CPU time of the process under test when its triggers pass the
warm-up mark and the end, at the very request that does it, so that nobody has to poll. Triggers named `group--1`,
`group--2` are measured together, as `group`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from tests.bench.carry.results import SEQUENCE_ID, results

PREPARED_MAX = 160 * 512


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
    """All triggers stand over the same `count` results: the prepared ones, over and over, under ids of their own.

    A trigger sees all of them, or as many as it was told to; when each arrival was seen and advanced past is kept.
    """

    def __init__(self, prepared: list[bytes], count: int) -> None:
        self.parts = [tuple(result.split(SEQUENCE_ID)) for result in prepared]
        self.count = count
        self.visible: dict[str, int] = {}
        self.arrivals: dict[str, list[tuple[float, float]]] = {}
        self.arrived_s: dict[str, float] = {}
        self.positions: dict[str, int] = {}
        self.carried: dict[str, int] = {}
        self.watches: dict[str, Watch] = {}

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """The body of the answer to a request."""
        *_, trigger, operation = path.split("/")
        match method, operation:
            case "POST", "fetch":
                return self._page(trigger, json.loads(body)["size"])
            case "POST", "advance":
                return self._advanced(trigger, int(json.loads(body)["sequence_id"].removeprefix("at-")))
            case "POST", "watch":
                self.watches[trigger] = Watch(**json.loads(body))
                return b"{}"
            case "GET", "watch":
                return json.dumps(
                    {"carried": self.carried.get(trigger, 0), "marks": self.watches[trigger].marks}
                ).encode()
            case "POST", "visible":
                self.visible[trigger] = json.loads(body)["results"]
                self.arrived_s[trigger] = time.monotonic()
                return b"{}"
            case "GET", "arrivals":
                return json.dumps(self.arrivals.get(trigger, [])).encode()
            case _:
                return b'{"status":"ok"}'

    def _advanced(self, trigger: str, position: int) -> bytes:
        group = trigger.rpartition("--")[0] or trigger
        self.carried[group] = self.carried.get(group, 0) + position - self.positions.get(trigger, 0)
        self.positions[trigger] = position
        if group in self.watches:
            self.watches[group].passed(self.carried[group])
        if trigger in self.arrived_s and position >= self.visible[trigger]:
            self.arrivals.setdefault(trigger, []).append((self.arrived_s.pop(trigger), time.monotonic()))
        return b'{"status":"ok","sequence_id":"at-%d"}' % position

    def _page(self, trigger: str, size: int) -> bytes:
        last = self.visible.get(trigger, self.count)
        begin = self.positions.get(trigger, 0)
        end = min(begin + size, last)
        results = b",".join(self._result(number) for number in range(begin, end))
        is_end = b"true" if end >= last else b"false"
        return b'{"status":"ok","filtered":0,"sequence_id":"at-%d","is_end_sequence":%b,"results":[%b]}' % (
            max(begin, end),
            is_end,
            results,
        )

    def _result(self, number: int) -> bytes:
        before, after = self.parts[number % len(self.parts)]
        return b'%b"at-%d"%b' % (before, number + 1, after)


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
        # A client may send several requests at once, or one in pieces.
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
    stage = Stage(results(min(count, PREPARED_MAX)), count)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(stage), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
