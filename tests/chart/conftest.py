"""Helm itself, and the chart rendered by it."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "bridge"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
Manifest = dict[str, Any]


class Refused(Exception):
    """Helm would not render; the text is its reason."""


@dataclass(frozen=True, slots=True)
class Helm:
    """The chart under one binary."""

    binary: Path

    def run(self, *arguments: str) -> str:
        """Standard output; raises Refused."""
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stdout + done.stderr)
        return done.stdout

    def render(self, scenario: Path, sets: Sequence[str] = (), kube_version: str = "1.33") -> list[Manifest]:
        """The manifests of one scenario, with `key=value` (read as JSON) on top."""
        on_top = [word for one in sets for word in ("--set-json", one)]
        at = ["--namespace", "mail", "--kube-version", kube_version]
        text = self.run("template", "demo", str(CHART), "--values", str(scenario), *at, *on_top)
        return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def _cached() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return next((cache / "bridge").glob("helm-*"), Path("helm-is-not-here"))


@pytest.fixture(scope="session")
def helm() -> Helm:
    """`make chart` and `make test` fetch it; without it the tests are skipped aloud, or fail where it is required."""
    binary = Path(os.environ.get("BRIDGE_HELM") or _cached())
    if not binary.exists():
        message = "helm is not here: run `make chart`"
        pytest.fail(message) if os.environ.get("BRIDGE_REQUIRE_HELM") == "1" else pytest.skip(message)
    return Helm(binary)


def of_kind(manifests: list[Manifest], kind: str) -> Manifest:
    """The one manifest of a kind."""
    (found,) = [manifest for manifest in manifests if manifest["kind"] == kind]
    return found
