"""What a PromQL expression asks for, by a real parser, and whether the service has it."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as promql
import yaml

from tests.telemetry.listed import listed

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARDS = DEPLOY / "grafana"
RULES = DEPLOY / "prometheus" / "rules.yaml"
TARGET = frozenset({"job", "instance"})
"""Labels that the scraper adds."""

PROCESS = {name: ("gauge", frozenset[str]()) for name in ("process_resident_memory_bytes", "process_cpu_seconds_total")}
"""From the Prometheus client itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """`where` is for a failure: dashboard and panel, or alert."""

    where: str
    expression: str


def of_dashboards() -> Iterator[Query]:
    """With Grafana's variables left in."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                yield Query(where=f"{file.stem}: {panel['title']} {target['refId']}", expression=target["expr"])


def filled_in(expression: str, rate: str) -> str:
    """As Grafana would send it, for all jobs and triggers."""
    return expression.replace("$__rate_interval", rate).replace('job=~"$job"', 'job=~".*"').replace("$trigger", ".*")


def rules() -> list[Mapping[str, Any]]:
    """Alerts and recordings."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def of_rules() -> Iterator[Query]:
    for rule in rules():
        yield Query(where=rule.get("alert") or rule["record"], expression=rule["expr"])


def written_dashboards() -> Mapping[str, str]:
    """What the script writes, by file name."""
    found: Mapping[str, str] = runpy.run_path(str(DEPLOY / "scripts" / "dashboards.py"))["texts"]()
    return found


def wrong_in(query: Query) -> list[str]:
    """Metrics and labels that do not exist."""
    mistakes: list[str] = []
    _labels_of(promql.parse(filled_in(query.expression, "1m")), mistakes)
    return [f"{query.where}: {mistake}" for mistake in mistakes]


@cache
def _known() -> Mapping[str, frozenset[str]]:
    known: dict[str, frozenset[str]] = {}
    for name, (kind, labels) in {**listed(), **PROCESS}.items():
        if kind == "histogram":
            known[f"{name}_bucket"] = labels | {"le"}
            known[f"{name}_sum"] = known[f"{name}_count"] = labels
        else:
            known[name] = labels
    recorded = frozenset({"job", "trigger", "route"})
    return known | {rule["record"]: recorded for rule in rules() if "record" in rule}


def _labels_of(node: Any, mistakes: list[str]) -> frozenset[str]:
    """The labels an expression can have; what asks for others goes to `mistakes`."""
    match node:
        case promql.VectorSelector():
            return _of_selector(node, mistakes)
        case promql.MatrixSelector():
            return _of_selector(node.vector_selector, mistakes)
        case promql.AggregateExpr():
            inner = _labels_of(node.expr, mistakes)
            _ask(node.modifier.labels if node.modifier else (), inner, "by", mistakes)
            return frozenset(node.modifier.labels) if node.modifier else frozenset()
        case promql.Call():
            return frozenset().union(*(_labels_of(argument, mistakes) for argument in node.args))
        case promql.BinaryExpr():
            return _of_pair(node, mistakes)
        case promql.ParenExpr() | promql.SubqueryExpr() | promql.UnaryExpr():
            return _labels_of(node.expr, mistakes)
        case _:
            return frozenset()


def _of_selector(node: Any, mistakes: list[str]) -> frozenset[str]:
    labels = _known().get(node.name)
    if labels is None:
        mistakes.append(f"there is no metric {node.name}")
        return frozenset()
    labels |= TARGET
    _ask((matcher.name for matcher in node.matchers.matchers), labels, f"{node.name} has no label", mistakes)
    return labels


def _of_pair(node: Any, mistakes: list[str]) -> frozenset[str]:
    left, right = _labels_of(node.lhs, mistakes), _labels_of(node.rhs, mistakes)
    matching = getattr(node.modifier, "matching", None) if node.modifier else None
    if matching is not None:
        _ask(matching.labels, left, "on, left", mistakes)
        _ask(matching.labels, right, "on, right", mistakes)
    return left or right


def _ask(labels: Any, there: frozenset[str], what: str, mistakes: list[str]) -> None:
    mistakes.extend(f"{what} {label}" for label in labels if label not in there)
