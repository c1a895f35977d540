"""One time limit for many calls, kept by one timer."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from types import TracebackType
from typing import cast

from typing_extensions import override


class Bound:
    """`asyncio.timeout` for calls that may all take as long, in one event loop.

    Calls are many and hardly one takes long, so the timer looks at the oldest and goes on to whoever is oldest then. A
    timer for each call was an eighth of its CPU (tests/bench/README.md).
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._due_s: dict[_Call, float] = {}
        """Of the calls under way, by the loop's clock; the oldest is first."""
        self._timer: asyncio.TimerHandle | None = None

    def call(self) -> AbstractContextManager[None]:
        """Bounds what is awaited inside, by TimeoutError."""
        return _Call(self)

    def begin(self, call: _Call) -> None:
        """Count its time from now on."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + self._timeout_s
        self._due_s[call] = due_s
        if self._timer is None:
            self._timer = loop.call_at(due_s, self._look, loop)

    def end(self, call: _Call) -> None:
        """It is over, in time or not."""
        self._due_s.pop(call, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now_s = loop.time()
        for call, due_s in list(self._due_s.items()):
            if due_s > now_s:
                self._timer = loop.call_at(due_s, self._look, loop)
                return
            self.end(call)
            call.expire()


class _Call(AbstractContextManager[None]):
    """One of them. It ends as `asyncio.timeout` does, so that a cancellation from elsewhere stays one."""

    __slots__ = ("_bound", "_cancelling", "_is_late", "_task")

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self._is_late = False

    @override
    def __enter__(self) -> None:
        self._task = cast(asyncio.Task[object], asyncio.current_task())
        self._cancelling = self._task.cancelling()
        self._bound.begin(self)

    def expire(self) -> None:
        """Its time is over."""
        self._is_late = True
        self._task.cancel()

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bound.end(self)
        if self._is_late and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
