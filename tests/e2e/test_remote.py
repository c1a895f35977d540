"""The remote commands, as an operator types them, against a running bridge."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.e2e.bridge_process import OPERATE, Bridge
from tests.e2e.town import Town


def typed(bridge: Bridge, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    environment = {
        **os.environ,
        "BRIDGE_ADMIN_TOKEN": OPERATE,
        "BRIDGE_ADMIN_URL": f"http://127.0.0.1:{bridge.port}",
    }
    done = subprocess.run(
        [sys.executable, "-m", "bridge", *words], capture_output=True, text=True, env=environment, check=False
    )
    return done.returncode, done.stdout, done.stderr


async def test_an_operators_morning(town: Town) -> None:
    """Look, pause, resume, replay with progress, trace."""
    town.platform.upload(30)
    bridge = town.start()
    records = await town.drained(30)

    code, said, _ = typed(bridge, "status")
    assert (code, said.splitlines()[1].split()[:2]) == (0, ["disputes", "idle"])
    code, said, told = typed(bridge, "pause", "disputes", "--reason", "month end")
    assert (code, said) == (0, "disputes is paused\n"), told
    code, said, _ = typed(bridge, "status", "disputes", "--json")
    assert (json.loads(said)["state"], json.loads(said)["reason"]) == ("paused", "paused by operate: month end")
    assert typed(bridge, "resume", "disputes")[0] == 0

    code, said, told = typed(bridge, "reset", "disputes", "--to", "1h", "--reason", "a test", "--wait", "--json")
    assert (code, json.loads(said)["phase"], json.loads(said)["replayed"]) == (0, "done", 30)
    assert "done, 30 replayed" in told
    assert len(await town.drained(60)) == 60

    uid = records[0].uid
    code, said, told = typed(bridge, "trace", uid, "--json")
    assert code == 0, told
    found = {(row["topic"], row["partition"], row["offset"], row["generation"]) for row in json.loads(said)}
    everything = await town.read()
    assert found == {(one.topic, one.partition, one.offset, one.generation) for one in everything if one.uid == uid}
    assert {generation for *_, generation in found} == {0, 1}

    code, _, told = typed(bridge, "pause", "nobody")
    assert (code, "bridge status" in told) == (2, True)
