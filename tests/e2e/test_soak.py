"""A soak: three replicas, triggers that change hands, pauses, replays and kills at random, as long as asked."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import pytest
from rich.console import Console
from rich.progress import Progress

from tests.e2e.blows import flush_redis, freeze_one, kill_bridge, kill_redis, restart_bridge, restart_kafka
from tests.e2e.field import Field, a_field
from tests.e2e.operators import Operators
from tests.e2e.platform import Platform

SOAK_S = float(os.environ.get("BRIDGE_SOAK_S", "0"))
SEED = int(os.environ.get("BRIDGE_SOAK_SEED", "20261122"))
REPLICAS = 3
COMMENTS_EACH = 25
BEYOND_SESSION_S = 13.0
"""The group's session ends after 10 s: whoever sleeps longer has lost its triggers when it wakes (D15)."""
REST_S_MAX = 1.5
FREE_WITHIN_S = 180.0
PUBLISH_TIMEOUT = "10s"
"""Long enough to take a trigger over behind a restart of the broker on a busy machine."""

pytestmark = [
    pytest.mark.kafka_apache,
    pytest.mark.skipif(not SOAK_S, reason="as long as BRIDGE_SOAK_S says: make soak"),
    pytest.mark.timeout(SOAK_S * 2 + 600),
]


@pytest.fixture
async def field(platform: Platform, tmp_path: Path) -> AsyncIterator[Field]:
    async with a_field(platform, tmp_path, REPLICAS, publish_timeout=PUBLISH_TIMEOUT) as made:
        yield made


async def test_owners_pauses_resets_and_kills_at_random_lose_nothing(field: Field) -> None:
    """I1 to I9 over the whole soak, both modes; every replay is its own generation and complete."""
    dice = Random(SEED)
    operators = Operators(field)
    did = soak(field, operators, dice)
    operators.resume_all(dice, FREE_WITHIN_S)
    field.drain()
    replayed_to = operators.replayed_to(dice)
    figures = await field.judged(replayed_to)
    print(f"\nseed {SEED}: {SOAK_S:.0f} s, {dict(did)}")
    for name, each in figures.items():
        print(
            f"{name}: {each.results} results, {each.records} records, {len(replayed_to[name])} replays, 0 lost,"
            f" repeats {dict(each.duplicates) or 0}"
        )
    assert not figures["once"].duplicates


def soak(field: Field, operators: Operators, dice: Random) -> Counter[str]:
    """Mail, then something happens, then a rest; until the time is up."""
    happenings: dict[str, tuple[int, Callable[[], None]]] = {
        "kill": (6, lambda: kill_bridge(field, dice)),
        "restart": (5, lambda: restart_bridge(field, dice)),
        "outlive the session": (2, lambda: freeze_one(field, dice, BEYOND_SESSION_S)),
        "pause": (4, lambda: operators.pause(dice)),
        "resume": (8, lambda: operators.resume(dice)),
        "reset": (8, lambda: operators.reset(dice)),
        "kill redis": (1, lambda: kill_redis(field, dice)),
        "flush redis": (2, lambda: flush_redis(field, dice)),
        "restart kafka": (1, lambda: restart_kafka(field, dice)),
    }
    weights = [weight for weight, _ in happenings.values()]
    did: Counter[str] = Counter()
    began_s = time.monotonic()
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("soak", total=SOAK_S)
        while (gone_s := time.monotonic() - began_s) < SOAK_S:
            progress.update(bar, completed=gone_s)
            operators.upload(COMMENTS_EACH)
            time.sleep(dice.uniform(0.0, REST_S_MAX))
            (name,) = dice.choices(list(happenings), weights)
            happenings[name][1]()
            did[name] += 1
    return did
