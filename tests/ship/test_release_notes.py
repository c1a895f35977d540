"""Release notes are the changelog's own words, and a version without any is not released."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "deploy" / "scripts" / "release_notes.py"
CHANGELOG = """# Changelog

## Unreleased
### New
- Not yet.

## 0.2.0 - 2026-12-01

### Fixed
- A thing.

## [0.1.0] - 2026-11-22
"""


def _notes(tmp_path: Path, version: str) -> tuple[int, str, str]:
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    command = [sys.executable, str(SCRIPT), version, str(tmp_path / "CHANGELOG.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_a_section_is_printed_without_its_heading(tmp_path: Path) -> None:
    assert _notes(tmp_path, "v0.2.0") == (0, "### Fixed\n- A thing.\n", "")
    assert _notes(tmp_path, "Unreleased")[1] == "### New\n- Not yet.\n"


def test_a_version_is_not_taken_for_one_that_begins_like_it(tmp_path: Path) -> None:
    assert _notes(tmp_path, "0.2")[0] == 1


def test_a_version_that_says_nothing_is_refused(tmp_path: Path) -> None:
    for version in ("0.1.0", "0.3.0"):
        code, out, err = _notes(tmp_path, version)
        assert (code, out) == (1, "")
        assert version in err
