"""The import contracts see what they are for: each breach planted in a copy of the package is named."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its contracts, free to be spoiled."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "bridge", tmp_path / "bridge", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _lint(copy: Path) -> subprocess.CompletedProcess[str]:
    lint = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(lint), "--no-cache", "--no-logo"],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_package_as_it_stands_keeps_every_contract(copy: Path) -> None:
    done = _lint(copy)
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("engine/planted.py", "import bridge.adapters", "floors"),
        ("adapters/planted/__init__.py", "import bridge.engine", "floors"),
        ("domain/planted.py", "import bridge.ports", "floors"),
        ("ports.py", "import bridge.signals", "floors"),
        ("stray/__init__.py", "", "floors"),
        ("adapters/planted/__init__.py", "import bridge.adapters.platform", "adapters are strangers"),
        ("sandbox/planted.py", "import bridge.domain.model", "the sandbox knows nothing"),
        ("app/planted.py", "import bridge.sandbox", "the bridge knows nothing"),
        ("consumer/planted.py", "import bridge.domain.record", "what subscribers import stands alone"),
        ("engine/planted.py", "import bridge.consumer", "the service knows nothing"),
        ("engine/planted.py", "import httpx", "no I/O below"),
        ("ports.py", "from aiokafka import AIOKafkaProducer", "no I/O below"),
        ("engine/planted.py", "import socket", "no I/O below"),
        ("domain/planted.py", "import time", "the domain is still"),
        ("domain/planted.py", "from os import environ", "the domain is still"),
        ("domain/planted.py", "import asyncio", "the domain is still"),
        ("domain/planted.py", "import msgspec", "the domain is still"),
    ],
)
def test_a_planted_breach_is_named(copy: Path, module: str, line: str, contract: str) -> None:
    path = copy / "bridge" / module
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as source:
        source.write(f"\n{line}\n")
    done = _lint(copy)
    assert done.returncode != 0
    broken = [said for said in done.stdout.splitlines() if said.endswith("BROKEN")]
    assert any(contract in said for said in broken), done.stdout
