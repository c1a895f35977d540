"""The broker's disk is full: it ends, or refuses; given room and started again, nothing is lost (I7)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.blows import IS_LONG, out
from tests.e2e.field import Field, a_field
from tests.e2e.platform import Platform
from tests.history.events import Part
from tests.neighbours.apache import prepare

pytestmark = pytest.mark.kafka_apache

DISK_BYTES = 48 * 1024 * 1024
FULL_S = 3.0
COMMENTS = 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Where the broker keeps its log, on a file system of its own. Staging it needs root and the right to mount."""
    if not IS_LONG:
        pytest.skip("in the long form only: make faults")
    place = tmp_path / "kafka" / "log"
    place.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("a small disk can be made by root only")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    shutil.copytree(prepare() / "formatted", place, dirs_exist_ok=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
async def field(small_disk: Path, platform: Platform, tmp_path: Path) -> AsyncIterator[Field]:
    assert small_disk.is_mount()
    async with a_field(platform, tmp_path, replicas=1) as made:
        yield made


def filled(place: Path) -> Path:
    """Not a byte is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 512, 1):
            try:
                while file.write(b"\0" * size):
                    continue
            except OSError:
                continue
    return filler


async def test_a_full_disk_holds_everything_and_loses_nothing(field: Field, small_disk: Path) -> None:
    field.platform.upload(COMMENTS)
    field.drain()
    with out(field, Part.KAFKA):
        filler = filled(small_disk)
        field.platform.upload(COMMENTS)
        time.sleep(FULL_S)
        assert not field.is_idle(), "it published to a full disk"
        filler.unlink()
        field.kafka.kill()
        field.kafka.begin()
    field.drain()
    figures = await field.judged()
    print(f"\n{ {name: (each.results, each.records) for name, each in figures.items()} }")
    assert figures["once"].results == 2 * COMMENTS
    assert not figures["once"].duplicates
