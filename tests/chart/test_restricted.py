"""The restricted Pod Security Standard, read here by our own eyes: every pod of every scenario, on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.conftest import SCENARIOS, Helm, pod_templates

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
CAPABILITIES_ADDED = {"NET_BIND_SERVICE"}
SECCOMP = {"RuntimeDefault", "Localhost"}


def breaches(pod: dict[str, Any]) -> Iterator[str]:
    """Each rule of the standard that the pod does not keep, and of ours: a read-only root and no account token."""
    for host in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(host):
            yield host
    for volume in pod.get("volumes", []):
        yield from (f"volume {kind}" for kind in set(volume) - {"name"} - VOLUMES)
    around = pod.get("securityContext", {})
    if pod.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken"
    for container in pod["containers"] + pod.get("initContainers", []):
        yield from _of_container(around, container)


def _of_container(around: dict[str, Any], container: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    said = around | own
    checks = {
        "privileged": not own.get("privileged"),
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
        "runAsNonRoot": said.get("runAsNonRoot") is True,
        "runAsUser": said.get("runAsUser") not in (None, 0),
        "seccompProfile": said.get("seccompProfile", {}).get("type") in SECCOMP,
        "capabilities.drop": "ALL" in own.get("capabilities", {}).get("drop", []),
        "capabilities.add": set(own.get("capabilities", {}).get("add", [])) <= CAPABILITIES_ADDED,
        "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
        "memory limit": bool(container.get("resources", {}).get("limits", {}).get("memory")),
        "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
    }
    yield from (name for name, kept in checks.items() if not kept)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_every_pod_is_restricted(helm: Helm, scenario: Path) -> None:
    pods = pod_templates(helm.render(scenario))
    assert len(pods) >= 2
    assert [list(breaches(pod)) for pod in pods] == [[] for _ in pods]


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}, "volume hostPath"),
        ({"securityContext": {}}, "runAsNonRoot"),
        ({"automountServiceAccountToken": True}, "automountServiceAccountToken"),
    ],
)
def test_a_planted_breach_is_named(helm: Helm, planted: dict[str, Any], named: str) -> None:
    pod = pod_templates(helm.render(SCENARIOS[0]))[0]
    assert named in set(breaches(pod | planted))
