"""Writes `demo.yaml`: a configuration as an operator would write it, for the neighbours that were started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from bridge.app.demo.scenario import RouteSpec, Scenario

HEADER = """\
# Written by `bridge demo`. Change a route while the demo runs: the bridge takes it over by itself.
"""
TOKEN_VARIABLE = "REINFER_TOKEN"  # noqa: S105  the name of a variable, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where everything is. `deployment` must differ from any other that uses the same Kafka and Redis."""

    deployment: str
    platform: str
    kafka: str
    redis_url: str
    project: str
    dataset: str


def write_configuration(path: Path, scenario: Scenario, at: Addresses) -> None:
    """The token stays in the environment."""
    path.write_text(HEADER + configuration(scenario, at), encoding="utf-8")


def configuration(scenario: Scenario, at: Addresses) -> str:
    """The YAML text."""
    content = {
        "deployment": at.deployment,
        "platform": {"base_url": at.platform, "token": f"${{{TOKEN_VARIABLE}}}", "api": "triggers"},
        "kafka": {
            "bootstrap_servers": at.kafka,
            "topics": {"create": False, "partitions": scenario.partitions, "replication_factor": 1},
        },
        "redis": {"url": at.redis_url, "key_ttl": "24h"},
        "ownership": "local",
        "accept": ["single_replica"],
        "admin": {"host": "127.0.0.1", "port": 0},
        "defaults": {
            "batch_size": scenario.batch_size,
            "poll_interval": "500ms",
            "delivery": "at_least_once",
        },
        "triggers": [_trigger(scenario, at)],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _trigger(scenario: Scenario, at: Addresses) -> dict[str, object]:
    return {
        "name": scenario.trigger,
        "project": at.project,
        "dataset": at.dataset,
        "trigger": scenario.trigger,
        "key": scenario.key,
        "match": "all",
        "routes": [_route(route) for route in scenario.routes],
        "unmatched": {"topic": scenario.unmatched_topic},
        "dead_letter": {"topic": scenario.dead_topic, "stop_when_share_over": 0.5},
    }


def _route(route: RouteSpec) -> dict[str, object]:
    written: dict[str, object] = {"name": route.name, "topic": route.topic, "when": dict(route.when)}
    if route.shadow:
        written["shadow"] = True
    return written
