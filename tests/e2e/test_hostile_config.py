"""A configuration that is wrong, huge, or goes bad while it runs."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.town import LANES, UNMATCHED, Town

LINES_MIN = 10_000
LOADED_WITHIN_S = 30.0
"""On two busy cores; it is some seconds on an idle one."""


def checked(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", "check", "-c", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def line_of(text: str, wanted: str, nth: int = 0) -> int:
    """The number of the nth line that holds this."""
    return [number for number, line in enumerate(text.splitlines(), 1) if wanted in line][nth]


@pytest.mark.parametrize("command", ["check", "run"])
async def test_a_size_beyond_1024_is_refused_with_its_line(town: Town, tmp_path: Path, command: str) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(yaml.safe_dump(town.config(batch_size=1025), sort_keys=False))
    done = subprocess.run(
        [sys.executable, "-m", "bridge", command, "-c", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert re.search(rf"bridge\.yaml:{line_of(path.read_text(), 'batch_size')}\b.*1024", said), said


async def test_a_key_that_stands_twice_is_refused_with_its_line(town: Town, tmp_path: Path) -> None:
    """YAML readers take the last one, and an operator means the other."""
    path = tmp_path / "bridge.yaml"
    text = yaml.safe_dump(town.config(), sort_keys=False)
    path.write_text(text.replace("  poll_interval: 200ms\n", "  poll_interval: 200ms\n  poll_interval: 5s\n"))
    done = checked(path)
    assert done.returncode == 2
    again = line_of(path.read_text(), "poll_interval", 1)
    assert re.search(rf"bridge\.yaml:{again}\b.*poll_interval", done.stdout + done.stderr), done.stdout + done.stderr


def many_routes(town: Town) -> list[dict[str, Any]]:
    """Two that hold, among two thousand that never do."""
    never = [
        {
            "name": f"never-{number}",
            "topic": town.topic(UNMATCHED),
            "when": {"all": [{"label": f"Nothing > {number}", "min": 0.5}, {"entity": "none"}]},
        }
        for number in range(1_700)
    ]
    lanes = [
        {"name": stem, "topic": town.topic(stem), "when": {"user_property": "string:Lane", "one_of": [lane]}}
        for lane, stem in LANES.items()
    ]
    return [*never, *lanes]


async def test_ten_thousand_lines_of_configuration_load_in_seconds_and_run(town: Town) -> None:
    config = town.config(routes=many_routes(town), poll_interval="50ms")
    began_s = time.monotonic()
    bridge = town.start(config)
    assert time.monotonic() - began_s < LOADED_WITHIN_S
    assert len(bridge.config_file.read_text().splitlines()) > LINES_MIN
    town.platform.upload(30)
    assert len(await town.drained(30)) == 30
    bridge.configure(town.config(routes=many_routes(town)[5:], poll_interval="50ms"))
    await town.until(lambda: bool(bridge.events("config_reloaded")))
    town.platform.upload(30)
    assert len(await town.drained(60)) == 60


async def test_a_hangup_with_a_bad_file_keeps_the_old_one_and_says_each_mistake(town: Town) -> None:
    """D9."""
    bridge = town.start(town.config(poll_interval="50ms"))
    good = bridge.config_file.read_text()
    for bad in ("triggers: [", good.replace("batch_size", "batch_sise") + "\nsurprise: 1\n", "", "\x00", "- 1"):
        before = len(bridge.events("config_refused"))
        bridge.config_file.write_text(bad)
        bridge._signal(signal.SIGHUP)
        await town.until(lambda: len(bridge.events("config_refused")) > before)  # noqa: B023  awaited at once
        refused = bridge.events("config_refused")[-1]
        assert refused["level"] == "error"
        assert all("bridge.yaml" in mistake for mistake in refused["mistakes"]), refused
    town.platform.upload(6)
    await town.drained(6)
    bridge.config_file.write_text(good)
    bridge._signal(signal.SIGHUP)
    await town.until(lambda: bool(bridge.events("config_reloaded")))
