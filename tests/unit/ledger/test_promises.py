"""D16: a Redis that keeps less than the marks need is named."""

from __future__ import annotations

import pytest

from bridge.adapters.redis_ledger.connect import Info
from bridge.adapters.redis_ledger.promises import findings_of

SOUND: Info = {"redis_version": "7.0.15", "role": "master", "maxmemory": 0, "maxmemory_policy": "noeviction"}


def test_a_sound_server_has_no_findings() -> None:
    assert list(findings_of("redis", SOUND)) == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random", "volatile-lfu"])
def test_a_server_that_evicts_is_named(policy: str) -> None:
    found = list(findings_of("redis:6379", {**SOUND, "maxmemory": 10**9, "maxmemory_policy": policy}))
    assert [each.code for each in found] == ["evicting_policy"]
    assert policy in found[0].sentence
    assert "redis:6379" in found[0].sentence
    assert found[0].accepted_by == "evicting_redis"


def test_a_policy_without_a_limit_evicts_nothing() -> None:
    assert list(findings_of("redis", {**SOUND, "maxmemory_policy": "allkeys-lru"})) == []


def test_a_replica_is_named_and_cannot_be_accepted() -> None:
    found = list(findings_of("redis", {**SOUND, "role": "slave"}))
    assert [(each.code, each.accepted_by) for each in found] == [("redis_is_replica", "")]


@pytest.mark.parametrize(("version", "old"), [("6.0.16", True), ("5", True), ("6.2.0", False), ("8.2.3", False)])
def test_a_version_without_the_commands_is_named(version: str, old: bool) -> None:
    codes = [each.code for each in findings_of("redis", {**SOUND, "redis_version": version})]
    assert codes == (["redis_too_old"] if old else [])
