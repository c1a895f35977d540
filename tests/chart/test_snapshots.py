"""What each scenario renders, as a file that a reviewer reads: `make chart SNAPSHOTS=update` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import bridge
from tests.chart.conftest import SCENARIOS, Helm, Manifest

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = os.environ.get("BRIDGE_SNAPSHOTS") == "update"


def _readable(manifests: list[Manifest]) -> str:
    """In a fixed order, without versions and the text of rules and dashboards, which change for other reasons."""
    for manifest in manifests:
        if manifest["kind"] == "PrometheusRule":
            manifest["spec"] = {"groups": [group["name"] for group in manifest["spec"]["groups"]]}
        if manifest["metadata"]["name"].endswith("-dashboards"):
            manifest["data"] = dict.fromkeys(manifest["data"], "...")
    manifests.sort(key=lambda each: (each["kind"], each["metadata"]["name"]))
    text = Helm.dumped(manifests)
    return text.replace(f"bridge-{bridge.__version__}", "bridge-VERSION").replace(bridge.__version__, "VERSION")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_renders_what_it_rendered(helm: Helm, scenario: Path) -> None:
    snapshot = SNAPSHOTS / f"{scenario.stem.removesuffix('-values')}.yaml"
    rendered = _readable(helm.render(scenario))
    if UPDATE:
        snapshot.write_text(rendered)
    assert snapshot.exists(), "run `make chart SNAPSHOTS=update`"
    assert rendered == snapshot.read_text(), "if this is meant, run `make chart SNAPSHOTS=update` and look at the diff"


def test_no_snapshot_is_of_nothing() -> None:
    scenarios = {scenario.stem.removesuffix("-values") for scenario in SCENARIOS}
    assert {path.stem for path in SNAPSHOTS.glob("*.yaml")} == scenarios
