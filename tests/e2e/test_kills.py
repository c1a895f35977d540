"""SIGKILL at random moments under load, on Apache Kafka and Redis; an outside judge reads what is left (I1 to I9)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.e2e.bridge_process import Bridge
from tests.e2e.forked import Life
from tests.e2e.platform import DATASET, PROJECT, TRIGGER
from tests.e2e.town import LANES, UNMATCHED, Town, number_of
from tests.history.checker import judge
from tests.history.collect import Line, RoutesOf, expectation_of, platform_events, read_log_file, read_topics
from tests.history.events import Event, Killed, Part

KILLS = int(os.environ.get("BRIDGE_KILLS", "100"))
SEED = int(os.environ.get("BRIDGE_KILLS_SEED", "20261122"))
COMMENTS_A_LIFE = 120
BATCH_SIZE = 10
ALIVE_S_MAX = 0.25
"""Some ten batches under load, so that a kill falls into every step of a pass."""
KILLED_AT_START_SHARE = 0.15
"""The others are killed some time after their first page, so that they die at work."""

RESET_EVERY_KILLS = 25

IDENTITY = f"{PROJECT}/{DATASET}/{TRIGGER}"


def routes_of(town: Town) -> RoutesOf:
    def of(result: Line) -> dict[str, str]:
        stem = LANES.get("abc"[number_of(str(result["uid"])) % 3])
        return {stem: town.topic(stem)} if stem else {UNMATCHED: town.topic(UNMATCHED)}

    return of


def live_and_die(town: Town, bridge: Bridge, chance: random.Random) -> Event:
    """Start, let it work for a random while, and kill; what it has sent and not answered for stays open."""
    life = Life(bridge.config_file, bridge.data_dir / "lives.log", bridge.port)
    if chance.random() > KILLED_AT_START_SHARE:
        wait_for_a_page(town)
    time.sleep(chance.uniform(0.0, ALIVE_S_MAX))
    life.kill()
    return Killed(at_ms=time.time() * 1000, who=Part.BRIDGE)


def wait_for_a_page(town: Town) -> None:
    seen = town.platform.log_bytes()
    end_s = time.monotonic() + 20
    while town.platform.log_bytes() == seen:
        assert time.monotonic() < end_s, "no page was fetched"
        time.sleep(0.005)


def lives(town: Town, bridge: Bridge, chance: random.Random, resets: list[datetime]) -> Iterator[Event]:
    """Every now and then a life is asked for a replay of the last ten lives' mail before it is killed."""
    uploaded: list[datetime] = []
    for number in range(1, KILLS + 1):
        uploaded.append(datetime.now(UTC))
        town.platform.upload(COMMENTS_A_LIFE)
        if number % RESET_EVERY_KILLS:
            yield live_and_die(town, bridge, chance)
        else:
            yield live_with_a_reset_and_die(bridge, uploaded, chance, resets)


def live_with_a_reset_and_die(
    bridge: Bridge, uploaded: list[datetime], chance: random.Random, resets: list[datetime]
) -> Event:
    """The kill falls into any step of the reset or of the replay; the next life goes on with it (I7)."""
    life = Life(bridge.config_file, bridge.data_dir / "lives.log", bridge.port)
    resets.append(ask_for_a_reset(bridge, uploaded))
    time.sleep(chance.uniform(0.0, ALIVE_S_MAX))
    life.kill()
    return Killed(at_ms=time.time() * 1000, who=Part.BRIDGE)


def ask_for_a_reset(bridge: Bridge, uploaded: list[datetime]) -> datetime:
    """To some way behind the position; one that would skip pending results is refused, and asked for half as far."""
    back_to = len(uploaded) * 3 // 4
    end_s = time.monotonic() + 20
    with bridge.api as api:
        while time.monotonic() < end_s:
            to = uploaded[back_to]
            answer = api.post("/api/v1/triggers/disputes/resets", json={"to_comment_created_at": to.isoformat()})
            if answer.status_code == 202:
                return to
            assert answer.status_code in (409, 422, 503), answer.text
            back_to = back_to // 2 if answer.status_code == 422 else back_to
            time.sleep(0.02)
    raise AssertionError("no reset was taken")


@pytest.mark.timeout(900)
async def test_kills_at_random_moments_lose_nothing_and_every_duplicate_has_its_cause(town: Town) -> None:
    chance = random.Random(SEED)
    bridge = town.bridge = Bridge(town.data_dir, town.config(batch_size=BATCH_SIZE, poll_interval="50ms"))
    resets: list[datetime] = []
    killed = list(lives(town, bridge, chance, resets))
    bridge.begin()
    await town.drained(KILLS * COMMENTS_A_LIFE, within_s=120)
    bridge.stop()

    records = await read_topics(town.kafka.bootstrap_servers, town.all_topics)
    expectation = expectation_of(IDENTITY, town.platform.expected(), routes_of(town), resets)
    verdict = judge(
        [*platform_events(read_log_file(town.platform.sandbox.events_file)), *killed, *records], [expectation]
    )
    print(f"seed {SEED}: {verdict.figures}")
    assert not verdict.violations, f"seed {SEED}: {verdict.violations[:10]}"
    assert verdict.figures.kills["bridge"] == KILLS
    assert verdict.figures.resets == len(resets) == KILLS // RESET_EVERY_KILLS
