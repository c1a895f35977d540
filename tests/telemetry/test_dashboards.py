"""Dashboards and alerts ask only for what there is, and every alert says what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import promql_parser as promql
import pytest

from tests.telemetry.queries import (
    DASHBOARDS,
    RULES,
    Query,
    filled_in,
    of_dashboards,
    of_rules,
    rules,
    written_dashboards,
    wrong_in,
)

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        assert os.environ.get("BRIDGE_REQUIRE_REAL") != "1", "this run needs promtool (Debian: prometheus)"
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return found


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=RULES.parent, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_dashboards_are_what_their_script_writes() -> None:
    """`python deploy/scripts/dashboards.py`."""
    assert {file.name: file.read_text() for file in DASHBOARDS.glob("*.json")} == written_dashboards()


def test_there_are_an_overview_one_trigger_and_a_replay() -> None:
    found = {file.stem: json.loads(file.read_text()) for file in DASHBOARDS.glob("*.json")}
    assert set(found) == {"overview", "trigger", "replay"}
    assert len({one["uid"] for one in found.values()}) == 3
    for one in found.values():
        assert len({panel["id"] for panel in one["panels"]}) == len(one["panels"])
        assert [variable["name"] for variable in one["templating"]["list"]] == ["datasource", "job", "trigger"]
        taken = {
            (x, y)
            for panel in one["panels"]
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        }
        assert len(taken) == sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in one["panels"]), "no overlap"


@pytest.mark.parametrize("query", [*of_dashboards(), *of_rules()], ids=lambda query: query.where)
def test_every_metric_and_label_of_an_expression_exists(query: Query) -> None:
    assert wrong_in(query) == []


@pytest.mark.parametrize(
    "expression",
    [
        "bridge_lag_second",
        'bridge_lag_seconds{triger="a"}',
        "sum by (route) (bridge_lag_seconds)",
        'rate(bridge_batch_seconds{step="a"}[1m])',
        "sum by (trigger) (bridge_lag_seconds) / on (route) bridge_lag_seconds",
    ],
)
def test_what_does_not_exist_is_found(expression: str) -> None:
    assert wrong_in(Query(where="planted", expression=expression))


def test_variables_of_the_dashboards_are_all_filled_in() -> None:
    for query in of_dashboards():
        whole = filled_in(query.expression, "1m")
        assert "$" not in whole, query.where
        promql.parse(whole)


def test_the_rules_are_valid_and_their_unit_tests_hold(promtool: str) -> None:
    assert "SUCCESS" in run(promtool, "check", "rules", "rules.yaml")
    assert "SUCCESS" in run(promtool, "test", "rules", "rules.test.yaml")


def test_every_alert_has_a_test_that_makes_it_fire() -> None:
    tested = (RULES.parent / "rules.test.yaml").read_text()
    for rule in rules():
        if "alert" in rule:
            assert re.search(rf"alertname: {rule['alert']}\n +exp_alerts:\n +- exp_labels", tested), rule["alert"]


def test_every_alert_has_a_runbook_that_is_there() -> None:
    headings = re.findall(r"^#+ (.+)$", README.read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for rule in rules():
        if "alert" in rule:
            file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
            assert file == "README.md"
            assert anchor in anchors, rule["alert"]
            assert anchor == rule["alert"].lower()
