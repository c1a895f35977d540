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
OWN_NAMES = {"demo-bridge", "existing"}
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

    @staticmethod
    def dumped(manifests: Sequence[Manifest]) -> str:
        """As one YAML text, keys in their order."""
        return yaml.safe_dump_all(manifests, sort_keys=False, width=120, allow_unicode=True)


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


def of_kind(manifests: Sequence[Manifest], kind: str) -> Manifest:
    """The one manifest of a kind that the release names after itself."""
    (found,) = [each for each in manifests if each["kind"] == kind and each["metadata"]["name"] in OWN_NAMES]
    return found


def pod_templates(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The specification of every pod that would come of them."""
    deployments = [each["spec"]["template"]["spec"] for each in manifests if each["kind"] == "Deployment"]
    return deployments + [each["spec"] for each in manifests if each["kind"] == "Pod"]


def service_pod(manifests: Sequence[Manifest]) -> Any:
    """Of the service itself."""
    (found,) = [
        each["spec"]["template"]["spec"]
        for each in manifests
        if each["kind"] == "Deployment" and each["spec"]["template"]["spec"]["containers"][0]["name"] == "bridge"
    ]
    return found
