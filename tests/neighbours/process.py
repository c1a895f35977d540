"""A server as a local process: own process group, stopped by pid, never left behind."""

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.02
# Below Linux's ephemeral range: a client that redials a dead port inside it can be connected to itself,
# and then holds the port when the server wants it back.
PORTS = range(15_000, 32_000)


def free_port() -> int:
    """A loopback port nobody listens on now."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free loopback port found")


def listens(port: int) -> bool:
    """Whether something accepts on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class StartError(RuntimeError):
    """The server ended or did not listen in time; the text ends with the tail of its log."""


class LocalServer(ABC):
    """One server process over its data directory; keeps data and port over `restart`."""

    title: str
    real: bool

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        data_dir.mkdir(parents=True, exist_ok=True)

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of what runs, as the server or its jars say."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command line of the next start."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether this start serves clients."""

    @property
    def log_file(self) -> Path:
        """Where this start's output goes."""
        return self.data_dir / f"output-{self.starts}.log"

    @property
    def pid(self) -> int:
        """Pid of the running process."""
        if self._process is None:
            raise RuntimeError(f"{self.title} does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        """Starts the process and returns when it serves clients; raises StartError."""
        if self.running:
            raise RuntimeError(f"{self.title} runs already")
        self.starts += 1
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                [*_end_with_parent(), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data_dir,
                start_new_session=True,
            )
        atexit.register(self.kill)
        try:
            self._wait_ready()
        except BaseException:
            self.kill()
            raise

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            if not self.running:
                raise StartError(f"{self.title} ended at its start\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.title} did not serve within {START_TIMEOUT_S:.0f} s\n{self.log_tail()}")
            time.sleep(POLL_S)

    def log_tail(self) -> str:
        """The last lines this start wrote."""
        return self.log_file.read_text(errors="replace")[-3000:] if self.log_file.exists() else ""

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after STOP_TIMEOUT_S; fine when it has ended already."""
        if self._signal(signal.SIGTERM) and self._signal(signal.SIGCONT):
            try:
                self._reap(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self._forget()

    def kill(self) -> None:
        """SIGKILL to the whole group: what was not on the disk or in the page cache is gone."""
        if self._signal(signal.SIGKILL):
            self._reap(STOP_TIMEOUT_S)
        self._forget()

    def restart(self) -> None:
        """Starts again on the same data and port; stops first if it still runs."""
        self.stop()
        self.begin()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers. Returns once every thread stands still."""
        if self._signal(signal.SIGSTOP):
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while self.running and not _stands_still(self.pid) and time.monotonic() < deadline:
                time.sleep(0.001)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        os.killpg(self._process.pid, number)
        return True

    def _reap(self, timeout_s: float) -> None:
        if self._process is not None:
            self._process.wait(timeout_s)

    def _forget(self) -> None:
        self._process = None
        atexit.unregister(self.kill)


def _stands_still(pid: int) -> bool:
    """Going by the kernel: a thread gets the signal when it next runs, and may serve a request until then."""
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(_state_in(stat) in "TtZX" for stat in threads)


def _state_in(stat: Path) -> str:
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def _end_with_parent() -> list[str]:
    """A prefix that has the kernel end the server when this process is killed outright.

    The kernel's rule is about the thread that forked, so it is used from the main thread only.
    """
    main = threading.current_thread() is threading.main_thread()
    return ["setpriv", "--pdeathsig", "KILL"] if main and shutil.which("setpriv") else []
