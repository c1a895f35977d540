"""A real Kubernetes API server over etcd, on loopback, with admission of the restricted Pod Security Standard."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import yaml
from typing_extensions import override

from tests.neighbours.process import LocalServer, free_port, listens

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "bridge"
NAMESPACE = "mail"
TOKEN = "of-the-tests"
FOREIGN = {
    "servicemonitors": ("monitoring.coreos.com", "v1", "ServiceMonitor"),
    "prometheusrules": ("monitoring.coreos.com", "v1", "PrometheusRule"),
    "scaledobjects": ("keda.sh", "v1alpha1", "ScaledObject"),
    "kafkatopics": ("kafka.strimzi.io", "v1beta2", "KafkaTopic"),
    "kafkausers": ("kafka.strimzi.io", "v1beta2", "KafkaUser"),
}
"""Kinds of operators, which this server takes with any content: their own schemas are asked elsewhere."""


def binaries() -> Path | None:
    """Where `deploy/scripts/kube-api.sh` has put the servers."""
    return next(CACHE.glob("kube-api-*"), None) if CACHE.exists() else None


class Etcd(LocalServer):
    """The store of the API server."""

    title = "etcd"
    real = True

    def __init__(self, binary: Path, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._binary, self._peer = binary, free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    @override
    def version(self) -> str:
        return "of its modules"

    @override
    def command(self) -> list[str]:
        peer = f"http://127.0.0.1:{self._peer}"
        clients = ["--listen-client-urls", self.url, "--advertise-client-urls", self.url]
        peers = [
            "--listen-peer-urls",
            peer,
            "--initial-advertise-peer-urls",
            peer,
            "--initial-cluster",
            f"default={peer}",
        ]
        return [str(self._binary), "--data-dir", str(self.data_dir / "etcd"), *clients, *peers, "--unsafe-no-fsync"]

    @override
    def is_ready(self) -> bool:
        return listens(self.port)


class ApiServer(LocalServer):
    """kube-apiserver; `kubectl` asks it."""

    title = "kube-apiserver"
    real = True

    def __init__(self, binary: Path, etcd: Etcd, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._binary, self._etcd = binary, etcd
        (data_dir / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        key = ["openssl", "genrsa", "-out", str(data_dir / "sa.key"), "2048"]
        subprocess.run(key, check=True, capture_output=True)

    @classmethod
    def start(cls, binaries: Path, data_dir: Path) -> Self:
        """A server that is ready, with the namespace and the operators' kinds."""
        etcd = Etcd(binaries / "etcd", data_dir / "store")
        etcd.begin()
        server = cls(binaries / "kube-apiserver", etcd, data_dir)
        try:
            server.begin()
            server.prepare()
        except BaseException:
            server.stop()
            raise
        return server

    @override
    def stop(self) -> None:
        super().stop()
        self._etcd.stop()

    @property
    @override
    def version(self) -> str:
        return str(yaml.safe_load(self.kubectl("version", "--output", "yaml").stdout)["serverVersion"]["gitVersion"])

    @override
    def command(self) -> list[str]:
        key = str(self.data_dir / "sa.key")
        return [
            str(self._binary),
            *("--etcd-servers", self._etcd.url, "--bind-address", "127.0.0.1", "--secure-port", str(self.port)),
            *("--cert-dir", str(self.data_dir / "certs"), "--token-auth-file", str(self.data_dir / "tokens.csv")),
            *("--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key),
            *("--service-account-signing-key-file", key, "--service-cluster-ip-range", "10.96.0.0/16"),
            *("--authorization-mode", "RBAC", "--endpoint-reconciler-type", "none"),
            # nothing here makes the namespace's default account, which admission would wait for
            *("--disable-admission-plugins", "ServiceAccount"),
        ]

    @override
    def is_ready(self) -> bool:
        return listens(self.port) and self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0

    def kubectl(self, *words: str, given: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """One call as administrator; what `given` holds is its standard input."""
        at = ["--server", f"https://127.0.0.1:{self.port}", "--token", TOKEN, "--insecure-skip-tls-verify"]
        found = shutil.which("kubectl")
        assert found is not None
        env = {"HOME": str(self.data_dir), "PATH": os.environ["PATH"], "KUBECONFIG": "/dev/null"}
        command = [found, *at, *words]
        done = subprocess.run(command, input=given, env=env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def prepare(self) -> None:
        """A namespace that takes nothing but restricted pods, and warns of what would make others."""
        level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": level}}
        kinds = [_definition(plural, *rest) for plural, rest in FOREIGN.items()]
        self.kubectl("apply", "--filename", "-", given=yaml.safe_dump_all([namespace, *kinds]))
        self.kubectl("wait", "--for", "condition=established", "--timeout", "30s", "crd", "--all")

    def dry_run(self, manifests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
        """What the server says to the manifests, without keeping them."""
        words = ["apply", "--dry-run=server", "--validate=strict", "--namespace", NAMESPACE, "--filename", "-"]
        return self.kubectl(*words, given=yaml.safe_dump_all(manifests), check=False)


def _definition(plural: str, group: str, version: str, kind: str) -> dict[str, Any]:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [served]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": spec,
    }
