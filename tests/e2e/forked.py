"""`bridge run` forked from a process that has its imports behind it: a hundred lives in the time of a dozen starts."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from bridge.app.cli import main
from tests.neighbours.process import START_TIMEOUT_S, StartError, listens

PRELOADED = ["bridge.app.cli.run", "tests.e2e.forked"]
POLL_S = 0.005

_context = get_context("forkserver")


def run_bridge(config_file: Path, log_file: Path) -> None:
    """The child: the service's own entry point, its output in a file."""
    descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.argv = ["bridge", "run", "-c", str(config_file)]
    main()


class Life:
    """One run of the service, to be ended by SIGKILL, or in peace."""

    def __init__(self, config_file: Path, log_file: Path, port: int) -> None:
        _context.set_forkserver_preload(PRELOADED)
        self._log_file = log_file
        self._process: BaseProcess = _context.Process(target=run_bridge, args=(config_file, log_file), daemon=True)
        self._process.start()
        self._wait_until_listening(port)

    def kill(self) -> None:
        """SIGKILL; returns when the kernel has taken everything from it."""
        self._process.kill()
        self._process.join()

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT, SIGTERM."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def ended(self, within_s: float) -> bool:
        """Whether it ends in time by itself."""
        self._process.join(within_s)
        return not self._process.is_alive()

    def _wait_until_listening(self, port: int) -> None:
        end_s = time.monotonic() + START_TIMEOUT_S
        while not listens(port):
            if not self._process.is_alive() or time.monotonic() > end_s:
                raise StartError(self._log_file.read_text(errors="replace")[-3000:])
            time.sleep(POLL_S)
