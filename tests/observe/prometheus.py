"""Debian's Prometheus as a local process, scraping one bridge and evaluating our rules."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Any, Self

import httpx
import yaml
from typing_extensions import override

from tests.neighbours.process import LocalServer
from tests.observe.waiting import until
from tests.telemetry.queries import RULES

SCRAPE_S = 1
RATE = "10s"
"""Ten scrapes: what Grafana's `$__rate_interval` is in a world that is scraped each second."""


class Prometheus(LocalServer):
    """Keeps everything in its data directory."""

    title = "prometheus"
    real = True
    target = ""

    @classmethod
    def start(cls, data_dir: Path, target: str) -> Self:
        """One that scrapes `target`, host and port."""
        server = cls(data_dir)
        server.target = target
        server.write_config()
        server.begin()
        return server

    @staticmethod
    def is_there() -> bool:
        return shutil.which("prometheus") is not None

    @property
    @override
    def version(self) -> str:
        return "installed"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write_config(self) -> None:
        config = {
            "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": "2s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "bridge", "static_configs": [{"targets": [self.target]}]}],
        }
        (self.data_dir / "prometheus.yaml").write_text(yaml.safe_dump(config))

    @override
    def command(self) -> list[str]:
        return [
            "prometheus",
            f"--config.file={self.data_dir / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self.data_dir / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]

    @override
    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False

    def finite(self, expression: str, last_s: float) -> int:
        """How many values an expression had lately; raises where Prometheus refuses it."""
        end = time.time()
        asked = {"query": expression, "start": end - last_s, "end": end, "step": SCRAPE_S}
        answer = httpx.post(f"{self.url}/api/v1/query_range", data=asked, timeout=20).json()
        if answer["status"] != "success":
            raise ValueError(f"{expression}: {answer.get('error')}")
        values = [float(value) for series in answer["data"]["result"] for _, value in series["values"]]
        return sum(math.isfinite(value) for value in values)

    def scrapes(self) -> int:
        """How often the bridge was asked and answered. It looks for targets every five seconds: the first is asked six
        seconds after `is_ready`."""
        asked = {"query": "sum(sum_over_time(up[1h]))"}
        found = httpx.get(f"{self.url}/api/v1/query", params=asked, timeout=10).json()["data"]["result"]
        return int(found[0]["value"][1]) if found else 0

    def scraped(self, times: int = 2) -> None:
        """Returns when it was asked so many times more: what stood still meanwhile is then seen."""
        before = self.scrapes()
        until(lambda: self.scrapes() >= before + times, f"{times} scrapes")

    def alerts(self) -> dict[str, str]:
        """State by name of every alert there is: inactive, pending, firing."""
        groups: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v1/rules", timeout=10).json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        sick = [rule["name"] for rule in rules if rule["health"] == "err"]
        if sick:
            raise ValueError(f"rules that cannot be evaluated: {', '.join(sick)}")
        return {rule["name"]: rule["state"] for rule in rules if rule["type"] == "alerting"}
