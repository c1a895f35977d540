"""The built package brings along what is not Python."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


def test_the_wheel_has_every_file_of_the_page(tmp_path: Path) -> None:
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if name.startswith("bridge/app/admin/page/")}
    there = {f"bridge/app/admin/page/{file.name}" for file in (ROOT / "bridge/app/admin/page").iterdir()}
    assert names == there
    assert "bridge/app/admin/page/index.html" in names
