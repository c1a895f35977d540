"""mq-bridge and Quix Streams in a virtual environment of their own: they are measured, not depended on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PEERS = Path(".bench/peers")
REQUIREMENTS = Path(__file__).with_name("peers.txt")
INSTALL_TIMEOUT_S = 300


class NotInstalledError(RuntimeError):
    """The peers cannot be had here; the message says why."""


def python_with_peers() -> str:
    """The interpreter that has them; made at the first call. Raises NotInstalledError."""
    python = PEERS / "bin" / "python"
    stamp = PEERS / "installed"
    if stamp.exists() and stamp.read_text() == REQUIREMENTS.read_text():
        return str(python.absolute())
    uv = [sys.executable, "-m", "uv"]
    try:
        _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PEERS)])
        _run([*uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(REQUIREMENTS)])
    except (subprocess.SubprocessError, OSError) as error:
        raise NotInstalledError(f"mq-bridge and Quix Streams could not be installed: {error}") from error
    stamp.write_text(REQUIREMENTS.read_text())
    return str(python.absolute())


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_TIMEOUT_S)
