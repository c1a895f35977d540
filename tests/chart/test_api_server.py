"""A real API server takes what the chart renders, and its admission finds every pod restricted."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.api_server import NAMESPACE, ApiServer, binaries
from tests.chart.conftest import SCENARIOS, Helm, pod_templates


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Built by `make chart`; without it these are skipped aloud."""
    found = binaries()
    if found is None or shutil.which("kubectl") is None or shutil.which("openssl") is None:
        message = "no Kubernetes API server, kubectl or openssl here: `make chart` builds the first"
        if os.environ.get("BRIDGE_REQUIRE_KUBE_API") == "1":
            pytest.fail(message)
        pytest.skip(message)
    server = ApiServer.start(found, tmp_path_factory.mktemp("kube"))
    yield server
    server.stop()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_the_server_takes_every_manifest_without_a_warning(api_server: ApiServer, helm: Helm, scenario: Path) -> None:
    manifests = helm.render(scenario, kube_version=api_server.version)
    done = api_server.dry_run(manifests)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(manifests)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_admission_finds_every_pod_restricted(api_server: ApiServer, helm: Helm, scenario: Path) -> None:
    pods = [_pod(number, spec) for number, spec in enumerate(pod_templates(helm.render(scenario)))]
    done = api_server.dry_run(pods)
    assert done.returncode == 0, done.stderr


def test_admission_sees_a_pod_that_is_not(api_server: ApiServer, helm: Helm) -> None:
    spec = pod_templates(helm.render(SCENARIOS[0]))[0]
    spec["containers"][0]["securityContext"]["capabilities"] = {"add": ["NET_RAW"]}
    done = api_server.dry_run([_pod(0, spec)])
    assert done.returncode != 0
    assert "violates PodSecurity" in done.stderr


def test_a_second_release_changes_nothing_of_the_first(api_server: ApiServer, helm: Helm) -> None:
    """Really applied, twice: the second time the server finds everything as it is."""
    manifests = [each for each in helm.render(SCENARIOS[4]) if each["kind"] != "Pod"]
    words = ["apply", "--server-side", "--namespace", NAMESPACE, "--filename", "-"]
    for _ in range(2):
        api_server.kubectl(*words, given=Helm.dumped(manifests))
    kept = api_server.kubectl(
        "get", "deployment,pdb,service,networkpolicy", "--namespace", NAMESPACE, "--output", "name"
    )
    assert len(kept.stdout.splitlines()) == 4


def _pod(number: int, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": spec}
