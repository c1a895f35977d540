"""`bridge run` as a process of its own, over a configuration file."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any, Self

import httpx
import yaml
from typing_extensions import override

from tests.neighbours.process import STOP_TIMEOUT_S, LocalServer, listens

OPERATE = "operate-token"
READ = "read-token"


class Bridge(LocalServer):
    """Keeps its configuration over restarts; `lines` are the log lines of this start."""

    title = "bridge"
    real = True

    def __init__(self, data_dir: Path, config: dict[str, Any], port: int | None = None) -> None:
        super().__init__(data_dir, port)
        self.configure(config)

    @classmethod
    def start(cls, data_dir: Path, config: dict[str, Any]) -> Self:
        """A bridge whose admin API listens."""
        bridge = cls(data_dir, config)
        bridge.begin()
        return bridge

    @property
    def config_file(self) -> Path:
        return self.data_dir / "bridge.yaml"

    def configure(self, config: dict[str, Any]) -> None:
        """Write the file; a running bridge notices."""
        admin = {"port": self.port, "read_token": READ, "operate_token": OPERATE}
        text = yaml.safe_dump({"admin": admin, **config}, sort_keys=False)
        fresh = self.config_file.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.config_file)

    @property
    @override
    def version(self) -> str:
        return "here"

    @override
    def command(self) -> list[str]:
        return [sys.executable, "-m", "bridge", "run", "-c", str(self.config_file)]

    @override
    def is_ready(self) -> bool:
        return listens(self.port)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._signal(signal.SIGTERM)
        return self._process.wait(STOP_TIMEOUT_S)

    def signalled_twice(self) -> int | None:
        """SIGTERM once more each time; the exit code once it has ended."""
        assert self._process is not None
        if self._process.poll() is None and len(self.events("stopping")) < 2 and not self.events("ended_hard"):
            self._signal(signal.SIGTERM)
        return self._process.poll()

    @property
    def api(self) -> httpx.Client:
        """The admin API with the operate token."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {OPERATE}"}, timeout=10
        )

    def trigger(self, name: str = "disputes") -> dict[str, Any]:
        """What the admin API says of a trigger."""
        with self.api as api:
            answer = api.get(f"/api/v1/triggers/{name}")
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Every log line of this start that is JSON; the last one may still be being written."""
        found = []
        for line in self.log_file.read_text(errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def events(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("event") == event]
