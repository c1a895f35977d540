"""The guarantee is checked at start, outside included: a world weaker than promised is refused (D16)."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.bridge_process import Bridge
from tests.e2e.town import Town
from tests.neighbours.redis_server import RedisServer

USAGE = 2
ENDS_WITHIN_S = 60


async def refused(bridge: Bridge) -> str:
    """The sentence it ends with."""
    ended = await asyncio.to_thread(
        subprocess.run, bridge.command(), capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False
    )
    assert ended.returncode == USAGE, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    (line,) = [line for line in lines if line["event"] == "refused_to_run"]
    return str(line["error"])


@pytest.mark.kafka_apache
async def test_a_single_replica_must_be_accepted_by_name(town: Town) -> None:
    bridge = Bridge(town.data_dir, {**town.config(), "accept": []})
    sentence = await refused(bridge)
    assert town.topic("dead") in sentence
    assert "accept: [single_replica]" in sentence


async def test_a_redis_that_throws_keys_away_is_refused_unless_accepted(town: Town, tmp_path: Path) -> None:
    """An evicted mark is a repeat without a word of warning (I5)."""
    evicting = ("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
    server = RedisServer.start(tmp_path / "evicting", args=evicting)
    try:
        config = {**town.config(), "redis": {"url": server.url}}
        assert "allkeys-lru" in await refused(Bridge(town.data_dir, config))

        town.platform.upload(5)
        town.start({**config, "accept": ["single_replica", "evicting_redis"]})
        assert len(await town.drained(5)) == 5
        assert {line["code"] for line in town.told_of("weaker_guarantee_accepted")} >= {"evicting_policy"}
    finally:
        server.stop()
