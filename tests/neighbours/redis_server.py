"""Redis from the distribution, as a local process."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from typing_extensions import override

from tests.neighbours.process import LocalServer


def missing() -> str | None:
    """What this machine lacks to run Redis, or None."""
    return None if shutil.which("redis-server") else "redis-server"


class RedisServer(LocalServer):
    """One Redis over an append-only file, so that a killed one comes back with what it had answered."""

    title = "Redis"
    real = True

    def __init__(self, data_dir: Path, port: int | None = None, args: Sequence[str] = ()) -> None:
        super().__init__(data_dir, port)
        self._args = list(args)

    @classmethod
    def start(cls, data_dir: Path, *, port: int | None = None, args: Sequence[str] = ()) -> Self:
        """A server that answers; `args` such as `["--maxmemory", "10mb"]` come last and win."""
        server = cls(data_dir, port, args)
        server.begin()
        return server

    @property
    def url(self) -> str:
        """Of logical database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    @override
    def version(self) -> str:
        done = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True)
        return done.stdout.split("v=")[1].split()[0]

    @override
    def command(self) -> list[str]:
        fixed = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.data_dir), "--daemonize", "no"]
        kept = ["--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
        return ["redis-server", *fixed, *kept, *self._args]

    @override
    def is_ready(self) -> bool:
        return self.log_file.exists() and "Ready to accept connections" in self.log_file.read_text(errors="replace")
