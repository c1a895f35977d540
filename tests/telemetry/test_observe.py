"""`make observe` as a check: a real Prometheus on the running demo, each panel's query, and the traces."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.observe.prometheus import Prometheus
from tests.telemetry.queries import of_dashboards, rules


@pytest.mark.timeout(170)
def test_no_panel_is_empty_on_the_running_demo_and_its_traces_are_whole() -> None:
    if not Prometheus.is_there():
        assert os.environ.get("BRIDGE_REQUIRE_REAL") != "1", "this run needs Prometheus (Debian: prometheus)"
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    done = subprocess.run(
        [sys.executable, "-m", "tests.observe", "--once", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["empty"] == report["spans_missing"] == []
    assert report["panels"] == len(list(of_dashboards()))
    assert set(report["alerts"]) == {rule["alert"] for rule in rules() if "alert" in rule}
    firing = {name for name, state in report["alerts"].items() if state == "firing"}
    assert firing <= {"BridgeDeadLetters"}
