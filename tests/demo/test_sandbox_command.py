"""`bridge sandbox` becomes the server: its options, its signals, its exit code."""

import json
import signal
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "bridge", "sandbox"]


def test_it_passes_options_on_and_ends_on_a_signal_as_the_server_does(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--db", str(tmp_path / "p.sqlite"), "--profile", "2020"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said["profile"] == "2020"
        assert said["url"].startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_help_is_the_server_s_own_with_an_example() -> None:
    shown = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "--stale-advance" in shown
    assert "example: bridge sandbox" in shown


def test_bad_usage_ends_with_2() -> None:
    ended = subprocess.run([*COMMAND, "--profile", "1999"], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "1999" in ended.stderr
