"""What the image promises, tried on a running engine: `make image` builds it and sets BRIDGE_IMAGE."""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import bridge
from tests.neighbours import Broker, free_port
from tests.neighbours.sandbox import Sandbox

IMAGE, BASE = os.environ.get("BRIDGE_IMAGE", ""), os.environ.get("BRIDGE_BASE_IMAGE", "")
OVER_BASE_BYTES_MAX = 60_000_000
pytestmark = pytest.mark.skipif(not IMAGE, reason="no image was built: run `make image`")
HARDENED = [
    *("--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,size=16m", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--pids-limit", "128", "--memory", "256m", "--cpus", "1"),
]


def _docker(*arguments: str, may_fail: bool = False) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert may_fail or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _inspect(what: str, path: str) -> object:
    return json.loads(_docker("inspect", "--format", f"{{{{json {path}}}}}", what))


@pytest.fixture
def configuration(kafka: Broker, redis_url: str, sandbox: Sandbox, tmp_path: Path) -> Path:
    """A file that has the service wait at an empty trigger of this machine's own neighbours."""
    path = tmp_path / "bridge.yaml"
    everything = {"name": "all", "topic": "image.all", "when": {"always": True}}
    trigger = {"project": "org1", "dataset": "nothing", "trigger": "nothing", "routes": [everything]}
    written = {
        "deployment": "image",
        "ownership": "local",
        "accept": ["single_replica"],
        "platform": {"base_url": sandbox.url, "token": "${REINFER_TOKEN}"},
        "kafka": {
            "bootstrap_servers": kafka.bootstrap_servers,
            "topics": {"create": True, "partitions": 1, "replication_factor": 1},
        },
        "redis": {"url": redis_url},
        "admin": {"port": free_port()},
        "triggers": [trigger | {"unmatched": "drop", "dead_letter": {"topic": "image.dead"}}],
    }
    path.write_text(yaml.safe_dump(written))
    path.chmod(0o644)
    return path


@pytest.fixture
def container(configuration: Path) -> Iterator[str]:
    """The service as a cluster would run it: nothing writable, no capability, no root."""
    name = f"bridge-{uuid.uuid4().hex[:8]}"
    mounted = ["--volume", f"{configuration}:/etc/bridge/bridge.yaml:ro", "--env", f"REINFER_TOKEN={Sandbox.token}"]
    _docker("run", "--detach", "--name", name, "--network", "host", *HARDENED, *mounted, IMAGE)
    yield name
    _docker("rm", "--force", name, may_fail=True)


def _wait_live(container: str, port: int) -> None:
    ask = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/livez', timeout=2).status)"
    deadline = time.monotonic() + 40
    while "200" not in _docker("exec", container, "python", "-c", ask, may_fail=True):
        said = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=False)
        assert _inspect(container, ".State.Running"), said.stdout + said.stderr
        assert time.monotonic() < deadline, said.stdout + said.stderr
        time.sleep(0.3)


def _admin_port(configuration: Path) -> int:
    return int(yaml.safe_load(configuration.read_text())["admin"]["port"])


def test_help_is_what_it_runs_by_itself() -> None:
    assert "run" in _docker("run", "--rm", *HARDENED, IMAGE, "--help")


def test_the_configuration_is_checked_by_the_image(tmp_path: Path) -> None:
    (tmp_path / "bridge.yaml").write_text("deployment: 1\nnonsense: true\n")
    (tmp_path / "bridge.yaml").chmod(0o644)
    mounted = ["--volume", f"{tmp_path}/bridge.yaml:/etc/bridge/bridge.yaml:ro"]
    command = ["docker", "run", "--rm", *HARDENED, *mounted, IMAGE, "check", "-c", "/etc/bridge/bridge.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "nonsense" in done.stdout + done.stderr


def test_it_holds_no_compiler_no_installer_and_no_sandbox_packages() -> None:
    tools = ("gcc", "cc", "ld", "make", "uv", "pip", "pip3", "apt", "apt-get", "dpkg")
    modules = ("sklearn", "pytest", "pip", "ensurepip", "uv", "noida_db")
    look = f"import shutil, importlib.util as i; print([t for t in {tools} if shutil.which(t)], "
    look += f"[m for m in {modules} if i.find_spec(m)])"
    for python in ("sys.executable", "sys._base_executable"):
        ask = f"import subprocess, sys; sys.exit(subprocess.call([{python}, '-c', {look!r}]))"
        assert _docker("run", "--rm", "--entrypoint", "python", IMAGE, "-c", ask).strip() == "[] []"


def test_it_is_small_over_its_base() -> None:
    over = int(str(_inspect(IMAGE, ".Size"))) - int(str(_inspect(BASE, ".Size")))
    assert 0 < over <= OVER_BASE_BYTES_MAX


def test_its_labels_say_what_it_is() -> None:
    labels = _inspect(IMAGE, ".Config.Labels")
    assert isinstance(labels, dict)
    named = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert (named["title"], named["licenses"], named["version"]) == ("bridge", "Apache-2.0", bridge.__version__)
    assert named["revision"]
    assert named["description"]


def test_its_bytecode_is_there_for_a_file_system_that_takes_none() -> None:
    look = "import bridge.app.cli, sys, pathlib; print([n for n, m in sys.modules.items() if (f := getattr(m, "
    look += (
        "'__file__', None)) and '/app/venv' in f and f.endswith('.py') and not pathlib.Path(m.__cached__).exists()])"
    )
    assert _docker("run", "--rm", "--entrypoint", "python", IMAGE, "-c", look).strip() == "[]"


def test_it_is_started_as_a_fixed_user_by_an_exec_form_entry_point() -> None:
    assert _inspect(IMAGE, ".Config.User") == "10001:10001"
    assert _inspect(IMAGE, ".Config.Entrypoint") == ["bridge"]
    assert _inspect(IMAGE, ".Config.Cmd") == ["run", "-c", "/etc/bridge/bridge.yaml"]
    assert _inspect(IMAGE, ".Config.StopSignal") == "SIGTERM"


def test_the_service_lives_without_rights_and_ends_at_sigterm(container: str, configuration: Path) -> None:
    _wait_live(container, _admin_port(configuration))
    status = _docker("exec", container, "cat", "/proc/1/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["Uid"].split() == ["10001"] * 4
    assert int(facts["CapEff"], 16) == 0
    assert facts["NoNewPrivs"].strip() == "1"
    written = _docker("exec", container, "sh", "-c", "touch /x /app/x 2>&1; ls /x /app/x 2>&1", may_fail=True)
    assert written.count("Read-only file system") == 2
    began = time.monotonic()
    _docker("stop", "--time", "35", container)
    assert time.monotonic() - began < 30
    assert _inspect(container, ".State.ExitCode") == 0
