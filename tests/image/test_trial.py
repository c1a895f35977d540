"""The trial of `deploy/compose.yaml`, really run: `make e2e-docker` has the images and sets BRIDGE_TRIAL."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.neighbours import free_port

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.skipif(os.environ.get("BRIDGE_TRIAL") != "1", reason="needs an engine and images: `make e2e-docker`"),
    pytest.mark.timeout(400),
]
UP_TIMEOUT_S = 180


class Trial:
    """One project of the file, on ports of its own."""

    def __init__(self) -> None:
        self.ports = {name: free_port() for name in ("BRIDGE_PORT", "KAFKA_PORT", "SANDBOX_PORT")}
        self.project = f"trial-{uuid4().hex[:8]}"

    def compose(self, *words: str, check: bool = True) -> str:
        command = [str(ROOT / "deploy/scripts/compose.sh"), "-p", self.project, "-f", str(ROOT / "deploy/compose.yaml")]
        env = os.environ | {name: str(port) for name, port in self.ports.items()}
        done = subprocess.run([*command, *words], env=env, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def get(self, path: str) -> str:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['BRIDGE_PORT']}{path}", headers={"Authorization": "Bearer trial"}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    trial = Trial()
    try:
        trial.compose("up", "--detach", "--no-build", "--pull", "never", "--wait", "--wait-timeout", str(UP_TIMEOUT_S))
        yield trial
    except AssertionError as error:
        raise AssertionError(f"{error}\n{trial.compose('logs', '--tail', '20', check=False)}") from error
    finally:
        trial.compose("down", "--volumes", "--timeout", "40", check=False)


def test_one_command_has_it_ready(trial: Trial) -> None:
    assert json.loads(trial.get("/readyz"))["status"] == "ok"


def test_a_comment_comes_through(trial: Trial) -> None:
    """Judged by a consumer beside the service, which finds the comment on a topic."""
    probe = ["exec", "-T", "bridge", "bridge", "probe", "-c", "/etc/bridge/bridge.yaml", "--source", "demo/inbox"]
    words = "Trade TRD-1 failed to settle, this is urgent, please look into the fail today."
    landed = json.loads(trial.compose(*probe, "--json", "--text", words))
    assert landed["topic"].startswith("demo.")
    assert json.loads(trial.get("/api/v1/triggers/mail"))["results"] > 0


def test_nobody_in_it_is_root_but_the_broker_may_choose(trial: Trial) -> None:
    for service in ("bridge", "sandbox", "redis"):
        status = trial.compose("exec", "-T", service, "cat", "/proc/1/status")
        facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert facts["Uid"].split()[0] != "0"
        assert int(facts["CapEff"], 16) == 0


def test_it_ends_within_its_grace_period(trial: Trial) -> None:
    """Last, since it ends the service: exit code 0, not 137."""
    trial.compose("stop", "bridge")
    listed = json.loads(trial.compose("ps", "--all", "--format", "json", "bridge").splitlines()[0])
    assert listed["ExitCode"] == 0
