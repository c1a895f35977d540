"""A bad hour on the real things: processes killed and frozen, links cut and stalled; judged from outside."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from tests.e2e.blows import FAULTS, chosen
from tests.e2e.field import Field, a_field
from tests.e2e.platform import Platform

pytestmark = pytest.mark.kafka_apache

SEED = int(os.environ.get("BRIDGE_FAULTS_SEED", "20261122"))
REPLICAS = int(os.environ.get("BRIDGE_FAULTS_REPLICAS", "3"))
COMMENTS_EACH = 60
PAGE_WITHIN_S = 1.0
AT_WORK_S_MAX = 0.25
"""Between the first page and the blow, so that it falls into any step of any batch."""


def at_work(field: Field, dice: Random) -> None:
    """Mail has come, and is being worked on unless the blow before is still felt."""
    seen = field.platform.log_bytes()
    field.platform.upload(COMMENTS_EACH)
    end_s = time.monotonic() + PAGE_WITHIN_S
    while field.platform.log_bytes() == seen and time.monotonic() < end_s:
        time.sleep(0.005)
    time.sleep(dice.uniform(0.0, AT_WORK_S_MAX))


@pytest.fixture
async def field(platform: Platform, tmp_path: Path) -> AsyncIterator[Field]:
    """Everything its own, and every link through a proxy."""
    async with a_field(platform, tmp_path, REPLICAS) as made:
        yield made


@pytest.mark.timeout(1800)
async def test_a_bad_hour_loses_nothing_and_repeats_nothing_without_a_cause(field: Field) -> None:
    """I1 to I9: nothing twice for who reads committed what came exactly_once; in at_least_once by a cause only."""
    dice = Random(SEED)
    began_s = time.monotonic()
    struck: Counter[str] = Counter()
    for blow in chosen(dice, FAULTS):
        at_work(field, dice)
        blow.strike(field, dice)
        struck[blow.name] += 1
    field.drain()
    figures = await field.judged()
    took_s = time.monotonic() - began_s
    print(f"\nseed {SEED}: {struck.total()} faults in {took_s:.0f} s: {dict(struck)}")
    for name, each in figures.items():
        repeats = dict(each.duplicates) or 0
        print(f"{name}: {each.results} results, {each.records} records, 0 lost, repeats {repeats}")
    assert not figures["once"].duplicates
