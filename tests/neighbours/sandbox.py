"""The local platform server as a process of its own."""

import json
import sys
from pathlib import Path
from typing import Self

from typing_extensions import override

from tests.neighbours.process import LocalServer


class Sandbox(LocalServer):
    """`python -m bridge.sandbox` over one SQLite file; `token` has all permissions."""

    title = "sandbox"
    real = True
    token = "sandbox"  # what the sandbox takes when SANDBOX_TOKEN is not set

    @classmethod
    def start(cls, data_dir: Path, *, port: int | None = None) -> Self:
        """A sandbox that listens."""
        server = cls(data_dir, port)
        server.begin()
        return server

    @property
    @override
    def version(self) -> str:
        return "local"

    @property
    def events_file(self) -> Path:
        """Every fetch, advance and reset it has seen, over restarts, a JSON line each."""
        return self.data_dir / "events.jsonl"

    @property
    def url(self) -> str:
        """Base URL, the same over restarts."""
        return str(self._announced()["url"])

    @override
    def command(self) -> list[str]:
        at = ["--port", str(self.port), "--db", str(self.data_dir / "platform.sqlite"), "--log", str(self.events_file)]
        return [sys.executable, "-m", "bridge.sandbox", *at]

    @override
    def is_ready(self) -> bool:
        return bool(self._announced())

    def _announced(self) -> dict[str, object]:
        """The JSON line it prints once it listens."""
        if not self.log_file.exists():
            return {}
        for line in self.log_file.read_text(errors="replace").splitlines():
            if line.startswith("{") and '"url"' in line:
                announced: dict[str, object] = json.loads(line)
                return announced
        return {}
