"""What consumers did to triggers, in order, for harnesses that judge a history."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from bridge.sandbox.wire import encode


class EventLog:
    """The latest events in memory, all of them in a file if one is given (a line each, flushed each)."""

    def __init__(self, events_max: int, path: Path | None) -> None:
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=events_max)
        self._file: BinaryIO | None = path.open("ab") if path else None
        self.latest = 0

    def add(self, event: dict[str, Any]) -> None:
        """Numbers the event; numbers start at 1 with each start of the server."""
        self.latest += 1
        line = encode({"n": self.latest, **event})
        self._ring.append((self.latest, line))
        if self._file:
            self._file.write(line + b"\n")
            self._file.flush()

    def after(self, number: int) -> Iterator[bytes]:
        return (line for n, line in self._ring if n > number)

    def first_kept(self) -> int:
        """The number of the oldest event still in memory, or of the next one."""
        return self._ring[0][0] if self._ring else self.latest + 1

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
