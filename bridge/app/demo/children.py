"""The demo's processes: each in a group of its own, its output in a file, ended by its id and none left behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bridge.app.demo.failures import DemoFailed
from bridge.ports import Clock

POLL_S = 0.05
TAIL_LINES = 15
TAIL_BYTES = 16_384
STOP_S_DEFAULT = 5.0
KILL_WAIT_S = 5.0
CAUSE_WAIT_S = 0.5

Found = TypeVar("Found")


class ChildDied(DemoFailed):
    """A process of the demo has ended by itself. The text ends with the last lines it wrote."""


@dataclass(slots=True, kw_only=True)
class Child:
    """One running process. `stop_s` is how long it may take to end when asked to."""

    name: str
    log: Path
    process: asyncio.subprocess.Process
    stop_s: float

    def check(self) -> None:
        """Raises ChildDied."""
        if self.process.returncode is not None:
            raise ChildDied(f"{self.name} ended with code {self.process.returncode}; its last lines:\n{self.tail()}")

    def output(self) -> str:
        """All it has written."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self) -> str:
        """The last lines it has written."""
        with self.log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:]) or "(nothing)"

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL to its whole group where that does not end it in time."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.stop_s):
                await self.process.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            async with asyncio.timeout(KILL_WAIT_S):
                await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """To the group; nothing where it has ended."""
        if self.process.returncode is None:
            # it may have been reaped a moment ago, and the news be still on its way to us
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


async def until(probe: Callable[[], Found | None], child: Child, clock: Clock, timeout_s: float, awaited: str) -> Found:
    """What the probe finds, asked again and again. Raises ChildDied, or DemoFailed after the time-out."""
    deadline = clock.monotonic_s() + timeout_s
    while (found := probe()) is None:
        child.check()
        if clock.monotonic_s() > deadline:
            raise DemoFailed(f"{awaited} did not come within {timeout_s:g} s; its last lines:\n{child.tail()}")
        await clock.sleep(POLL_S)
    return found


class Family:
    """All processes of one demo, in their order of start."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._children: list[Child] = []

    async def start(
        self, name: str, command: Sequence[str], env: Mapping[str, str], stop_s: float = STOP_S_DEFAULT
    ) -> Child:
        """Starts it in our directory; its output goes to `<name>.log` there."""
        log = self.directory / f"{name}.log"
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *_ended_with_us(),
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.directory,
                env=dict(env),
                start_new_session=True,
            )
        finally:
            os.close(output)
        child = Child(name=name, log=log, process=process, stop_s=stop_s)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raises ChildDied for the first that has ended by itself."""
        for child in self._children:
            child.check()

    async def check_after(self, failure: DemoFailed) -> None:
        """Raises ChildDied where one has ended, which is then the cause of what failed; its end may come a bit late."""
        ends = [asyncio.create_task(child.process.wait(), name=f"end of {child.name}") for child in self._children]
        await asyncio.wait(ends, timeout=CAUSE_WAIT_S, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        try:
            self.check()
        except ChildDied as died:
            raise died from failure

    async def stop(self) -> None:
        """Ends all, the last started first."""
        while self._children:
            await self._children[-1].stop()
            self._children.pop()

    def kill(self) -> None:
        """At once, for whoever cannot wait."""
        for child in self._children:
            child.signal(signal.SIGKILL)


def _ended_with_us() -> Sequence[str]:
    """A prefix that has the kernel end the child should we be killed outright, where the system has the tool."""
    return ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
