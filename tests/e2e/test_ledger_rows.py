"""What a Redis may do to the service, row by row, in every mode at once (D5), on the real thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from tests.e2e.platform import DATASET, PROJECT
from tests.e2e.town import Town
from tests.neighbours.choice import Ledger

pytestmark = pytest.mark.kafka_apache

MODES: dict[str, dict[str, str]] = {
    "holds": {"delivery": "at_least_once"},
    "publishes": {"delivery": "at_least_once", "on_ledger_outage": "publish"},
    "once": {"delivery": "exactly_once"},
}
TOPICS = {"holds": "lane-a", "publishes": "lane-b", "once": "unmatched"}
EACH = 5


@dataclass(frozen=True)
class Row:
    """Done to Redis and undone; `code` is why the trigger that holds is held, empty where all go on."""

    harm: Callable[[Ledger], None]
    mend: Callable[[Ledger], None]
    code: str = ""


def tell(server: Ledger, *command: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.execute_command(*command)


def evict(server: Ledger) -> None:
    """So small that every mark is thrown away at once."""
    tell(server, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    tell(server, "CONFIG", "SET", "maxmemory", "2mb")


def room(server: Ledger) -> None:
    tell(server, "CONFIG", "SET", "maxmemory", "0")
    tell(server, "CONFIG", "SET", "maxmemory-policy", "noeviction")


ROWS = {
    "flushed": Row(lambda server: tell(server, "FLUSHALL"), lambda _: None),
    "evicting": Row(evict, room),
    "full": Row(lambda server: tell(server, "CONFIG", "SET", "maxmemory", "1"), room, "ledger_full"),
    "slow": Row(lambda server: server.pause(), lambda server: server.resume(), "ledger_timeout"),
    "stopped": Row(lambda server: server.kill(), lambda server: server.restart(), "ledger_unavailable"),
}


@pytest.fixture
def town(town_with_own_redis: Town) -> Town:
    """Every row harms its ledger."""
    return town_with_own_redis


def config_of(town: Town, *names: str) -> dict[str, Any]:
    """A trigger for each of these modes, all over the same comments."""
    triggers = [
        {
            "name": name,
            "project": PROJECT,
            "dataset": DATASET,
            "trigger": name,
            "poll_interval": "100ms",
            "routes": [{"name": "all", "topic": town.topic(TOPICS[name]), "when": {"always": True}}],
            "unmatched": "drop",
            "dead_letter": {"topic": town.topic("dead")},
            **MODES[name],
        }
        for name in names
    ]
    config = {**town.config(), "triggers": triggers}
    config["redis"] = {"url": town.redis.url, "timeout": "500ms"}
    for name in names:
        town.platform.create_trigger({"name": name})
    return config


async def counts(town: Town) -> Counter[str]:
    """Records by the mode that sent them; none twice."""
    records = await town.read()
    assert len({record.ce_id for record in records}) == len(records)
    by_topic = Counter(record.topic for record in records)
    return Counter({name: by_topic[town.topic(stem)] for name, stem in TOPICS.items()})


async def arrived(town: Town, wanted: dict[str, int]) -> None:
    await town.until(lambda: all(position(town, name) == count for name, count in wanted.items()))
    found = await counts(town)
    assert {name: found[name] for name in wanted} == wanted


def position(town: Town, name: str) -> int:
    """How many results a trigger has advanced past."""
    assert town.bridge is not None
    with town.bridge.api as api:
        answer = api.get(f"/api/v1/triggers/{name}")
    return int(answer.json()["results"]) if answer.status_code == 200 else 0


async def test_redis_does_its_worst_and_each_mode_does_what_it_says(town: Town) -> None:
    """I4, I5, D5: exactly_once never notices; of the others one holds and one publishes; none sends twice."""
    town.start(config_of(town, *MODES))
    await town.until(lambda: shown(town, "holds")[0] == "idle")
    sent = 0
    for name, row in ROWS.items():
        row.harm(town.redis)
        town.platform.upload(EACH)
        sent += EACH
        going_on = [mode for mode in MODES if mode != "holds" or not row.code]
        await arrived(town, dict.fromkeys(going_on, sent))
        if row.code:
            await town.until(lambda row=row: shown(town, "holds") == ("blocked", row.code))  # type: ignore[misc]
            assert position(town, "holds") == sent - EACH, name
        row.mend(town.redis)
        await arrived(town, dict.fromkeys(MODES, sent))


def shown(town: Town, name: str) -> tuple[str, str]:
    assert town.bridge is not None
    with town.bridge.api as api:
        answer = api.get(f"/api/v1/triggers/{name}").json()
    return answer.get("state", ""), (answer.get("last_error") or {"code": ""})["code"]


async def test_with_exactly_once_alone_a_redis_that_never_was_makes_nothing_unready(town: Town) -> None:
    """D5."""
    town.redis.kill()
    config = config_of(town, "once")
    bridge = town.start(config)
    town.platform.upload(EACH)
    await arrived(town, {"once": EACH})
    with bridge.api as api:
        answer = api.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]["redis"]) == (200, "not_needed")
    assert bridge.events("not_checked_yet") == []
