"""What stands at the top of the repository, and the lock that everything is installed by."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
TOP = {"pyproject.toml", "bridge", "deploy", "helm", "tests", "README.md", "Dockerfile"}
BESIDES = {"Makefile", "LICENSE", "CHANGELOG.md", "requirements.lock"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _requirements() -> Iterator[Requirement]:
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"]]
    for line in [*lines, *(line for extra in extras.values() for line in extra)]:
        requirement = Requirement(line)
        if requirement.name != "bridge":
            yield requirement


def _locked() -> dict[str, list[str]]:
    """Name to the entries of the lock: one a Python version or platform, as `==1.2.3` and the rest of the line."""
    entries: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.lock").read_text().strip()):
        name, _, rest = entry.partition("==")
        entries.setdefault(canonicalize_name(name), []).append(rest)
    return entries


LOCKED = _locked()


def test_only_the_agreed_files_stand_at_the_top() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {line.partition("/")[0] for line in tracked.splitlines()}
    assert {name for name in found if not name.startswith(".")} <= TOP | BESIDES


@pytest.mark.parametrize("requirement", list(_requirements()), ids=str)
def test_the_lock_satisfies_the_project(requirement: Requirement) -> None:
    entries = LOCKED[canonicalize_name(requirement.name)]
    for entry in entries:
        assert requirement.specifier.contains(Version(entry.split()[0])), "run `make lock`"


def test_every_entry_of_the_lock_is_pinned_and_hashed() -> None:
    assert len(LOCKED) > 50
    for name, entries in LOCKED.items():
        for entry in entries:
            assert "--hash=sha256:" in entry, name


def test_the_lock_names_neither_the_project_nor_a_place() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "bridge" not in LOCKED
    assert "://" not in text
    assert "index-url" not in text
    assert "find-links" not in text
