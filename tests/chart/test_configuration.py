"""The file that the chart renders is read back by the service's own loader: chart and settings cannot drift apart."""

import re
from pathlib import Path

import pytest
import yaml

from bridge.app.config import load_config
from tests.chart.conftest import SCENARIOS, Helm, Manifest, of_kind, service_pod

SECRETS = "/run/secrets/"
SECRET = "of-the-cluster"


def _as_in_the_pod(manifests: list[Manifest], tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """The mounted file and its environment, with the mounted secrets below `tmp_path`."""
    text = of_kind(manifests, "ConfigMap")["data"]["bridge.yaml"].replace(SECRETS, f"{tmp_path}/")
    for named in re.findall(rf"{re.escape(str(tmp_path))}/\S+", text):
        Path(named).parent.mkdir(exist_ok=True)
        Path(named).write_text(SECRET)
    file = tmp_path / "bridge.yaml"
    file.write_text(text)
    container = service_pod(manifests)["containers"][0]
    return file, {one["name"]: one.get("value", SECRET) for one in container.get("env", [])}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_the_service_reads_what_the_chart_wrote(helm: Helm, scenario: Path, tmp_path: Path) -> None:
    manifests = helm.render(scenario)
    settings = load_config(*_as_in_the_pod(manifests, tmp_path))
    given = yaml.safe_load(scenario.read_text())["config"]
    pod = service_pod(manifests)
    assert settings.warnings == ()
    assert settings.deployment == given["deployment"]
    assert settings.ownership.value == given.get("ownership", "kafka")
    assert len(settings.triggers) == len(given["triggers"])
    assert (settings.admin.host, settings.admin.port) == ("0.0.0.0", pod["containers"][0]["ports"][0]["containerPort"])
    assert settings.stop_timeout_s < pod["terminationGracePeriodSeconds"]
