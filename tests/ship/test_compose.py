"""The trial's compose file, read on any machine; `make e2e-docker` runs it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from bridge.app.config import load_config
from bridge.app.demo.configuration import Addresses, configuration
from bridge.app.demo.scenario import sample_scenario
from bridge.app.demo.stage import DATASET, PROJECT

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"bridge", "sandbox", "stage"}


def test_it_has_every_part() -> None:
    trial = {name for name, service in SERVICES.items() if "profiles" not in service}
    observe = {name for name, service in SERVICES.items() if service.get("profiles") == ["observe"]}
    assert trial == OURS | {"kafka", "redis"}
    assert observe == {"prometheus", "grafana", "jaeger"}


def test_the_service_waits_for_what_it_needs() -> None:
    waits = {name: one["condition"] for name, one in SERVICES["bridge"]["depends_on"].items()}
    healthy = "service_healthy"
    assert waits == {"kafka": healthy, "redis": healthy, "stage": "service_completed_successfully"}
    for name in ("bridge", "kafka", "redis", "sandbox"):
        assert SERVICES[name]["healthcheck"]["test"]


def test_nothing_listens_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_our_parts_are_hardened_and_every_image_has_a_version() -> None:
    for name in OURS | {"redis"}:
        service = SERVICES[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(re.search(r":(dev|v?\d[\w.]*)\}$", service["image"]) for service in SERVICES.values())


def test_what_is_mounted_is_there() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.get("volumes", [])]
    for source, _, mode in mounts:
        assert (DEPLOY / source).exists(), source
        assert mode == "ro"


def test_it_is_stopped_later_than_the_service_stops_by_itself() -> None:
    settings = load_config(DEPLOY / "trial" / "bridge.yaml", {"REINFER_TOKEN": "x", "ADMIN_TOKEN": "x"})
    assert settings.stop_timeout_s < int(SERVICES["bridge"]["stop_grace_period"].removesuffix("s"))
    assert settings.warnings == ()


def test_the_trial_has_the_routes_of_the_demo() -> None:
    at = Addresses(deployment="trial", platform="", kafka="", redis_url="", project=PROJECT, dataset=DATASET)
    demo = yaml.safe_load(configuration(sample_scenario(), at))
    assert yaml.safe_load((DEPLOY / "trial" / "bridge.yaml").read_text())["triggers"] == demo["triggers"]
