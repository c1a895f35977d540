"""The commands of a deployment as a script runs them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND_TIMEOUT_S = 120


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`bridge` with these arguments, ended."""
    command = [sys.executable, "-m", "bridge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)


async def said(command: str, config: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of a command over a configuration."""
    done = await asyncio.to_thread(ran, command, "-c", str(config), "--json", *arguments)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found
