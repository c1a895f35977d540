"""The workflow files call the same make targets as everybody, with pinned actions and no rights they do not need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
each_file = pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)


def jobs(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load(file.read_text())["jobs"].values())


def commands(job: dict[str, Any]) -> list[str]:
    """Every line that a job runs, its matrix filled in."""
    written = [line for step in job["steps"] for line in step.get("run", "").splitlines()]
    targets = job.get("strategy", {}).get("matrix", {}).get("target", [""])
    return [line.replace("${{ matrix.target }}", target) for line in written for target in targets]


def test_there_are_workflows_for_changes_nights_and_releases() -> None:
    assert [file.stem for file in FILES] == ["ci", "nightly", "release"]


@each_file
def test_every_make_target_is_there(file: Path) -> None:
    asked = [line.split()[1] for job in jobs(file) for line in commands(job) if line.startswith("make ")]
    assert set(asked) <= TARGETS
    assert asked or file.stem == "ci"  # which runs .ci/run, as every machine does


@each_file
def test_every_script_is_there(file: Path) -> None:
    for named in re.findall(r"(?:deploy/scripts|\.ci)/[\w.-]+", file.read_text()):
        assert (ROOT / named).exists(), named


@each_file
def test_actions_are_pinned_and_rights_are_asked_for_one_by_one(file: Path) -> None:
    whole = yaml.safe_load(file.read_text())
    assert whole["permissions"] == {}
    for job in jobs(file):
        assert set(job["permissions"]) == {"contents"}
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step.get("uses", f"a/b@{'0' * 40}"))
