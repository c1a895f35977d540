"""`bridge probe` sees one comment come through, and says when none does."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.e2e.bridge_process import Bridge
from tests.e2e.platform import PROJECT, SOURCE
from tests.e2e.town import UNMATCHED, Town


async def _probe(config: Path, *more: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "bridge", "probe", "-c", str(config), "--source", f"{PROJECT}/{SOURCE}", *more]
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    out, err = await running.communicate()
    return running.returncode or 0, out.decode(), err.decode()


async def test_a_comment_comes_through_and_is_gone_afterwards(town: Town) -> None:
    town.platform.upload(3)
    bridge = town.start()
    await town.drained(3)
    code, out, err = await _probe(bridge.config_file, "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert (said["topic"], said["route"]) == (town.topic(UNMATCHED), "unmatched")
    gone = town.platform.http.get(f"/api/v1/sources/{PROJECT}/{SOURCE}/comments/{said['comment_id']}")
    assert gone.status_code == 404
    records = await town.drained(4)
    assert sum(record.headers["ce_subject"].endswith(said["comment_id"]) for record in records) == 1


async def test_without_a_running_service_it_says_that_nothing_came(town: Town) -> None:
    never_started = Bridge(town.data_dir, town.config())
    code, out, err = await _probe(never_started.config_file, "--timeout", "1")
    assert (code, out) == (1, "")
    assert "does bridge run" in err
