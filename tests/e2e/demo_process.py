"""`bridge demo` as a process, in a temporary directory of the test's own, so that what it leaves can be seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUN_TIMEOUT_S = 170.0


@dataclass(frozen=True)
class Ended:
    """How it ended; `out` is standard output, `err` what it said besides."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The last line of standard output."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


class Demo:
    """One run; `directory` is where its temporary files go."""

    def __init__(self, directory: Path, *options: str, env: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self._out, self._err = directory / "out.txt", directory / "err.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bridge", "demo", *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(env or {}), "TMPDIR": str(directory), "COLUMNS": "160"},
                start_new_session=True,
            )

    @property
    def shown(self) -> str:
        """All it has said so far."""
        return self._out.read_text(encoding="utf-8") + self._err.read_text(encoding="utf-8")

    def until(self, text: str, within_s: float = 90.0) -> None:
        """Wait until it says this."""
        end_s = time.monotonic() + within_s
        while text not in self.shown:
            if self._process.poll() is not None or time.monotonic() > end_s:
                self.kill()
                raise AssertionError(f"it did not say {text!r}: {self.shown}")
            time.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def ended(self, within_s: float = RUN_TIMEOUT_S) -> Ended:
        """Wait for the end; ended hard where it does not come."""
        try:
            code = self._process.wait(within_s)
        except BaseException:
            self.kill()
            raise
        return Ended(code, self._out.read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8"))

    def kill(self) -> None:
        """At once; the kernel ends its processes with it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def children(self) -> dict[str, int]:
        """Its running processes by what they are: embedded, platform, bridge."""
        words = {"noida-db": "embedded", "bridge.sandbox": "platform", "run": "bridge"}
        found: dict[str, int] = {}
        for pid, command in self._processes():
            name = next((name for word, name in words.items() if any(word == Path(each).name for each in command)), "")
            if name:
                found[name] = pid
        return found

    def leftovers(self) -> list[object]:
        """Processes that stand in its temporary directory, and what is in there besides this test's own files."""
        files = [path for path in self.directory.iterdir() if path.name.startswith("bridge-demo-")]
        return [*(command for _, command in self._processes()), *files]

    def _processes(self) -> Sequence[tuple[int, list[str]]]:
        found = []
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    here = (process / "cwd").resolve().is_relative_to(self.directory)
                    command = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
                except OSError:
                    continue
                if here and any(command):
                    found.append((int(process.name), command))
        return found


def run(directory: Path, *options: str, within_s: float = RUN_TIMEOUT_S) -> tuple[Demo, Ended]:
    """From start to end."""
    demo = Demo(directory, *options)
    return demo, demo.ended(within_s)
