"""`bridge audit` over a real run: fine where it is, and the planted fault where there is one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
from aiokafka import AIOKafkaProducer

from tests.e2e.bridge_process import Bridge
from tests.e2e.commands import ran, said
from tests.e2e.platform import DATASET, PROJECT, TRIGGER
from tests.e2e.topics import Read
from tests.e2e.town import Town

pytestmark = pytest.mark.kafka_apache


async def landed_again(town: Town, record: Read) -> None:
    """A copy by a producer that the bridge does not know of."""
    producer = AIOKafkaProducer(bootstrap_servers=town.kafka.bootstrap_servers)
    await producer.start()
    try:
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        await producer.send_and_wait(record.topic, record.value, record.key, record.partition, headers=headers)
    finally:
        await producer.stop()


def the_trigger(found: dict[str, Any]) -> dict[str, Any]:
    (trigger,) = found["triggers"]
    assert isinstance(trigger, dict)
    return trigger


async def test_a_run_in_transactions_is_proven_complete(town: Town) -> None:
    """I4, D3: by the counts of the position records, over restarts of the bridge."""
    config = town.config(delivery="exactly_once", batch_size=16)
    records: list[Read] = []
    for _ in range(2):
        town.platform.upload(50)
        town.start(config)
        records = await town.drained(town.platform.uploaded)
        town.stop()
    assert town.bridge is not None
    file = town.bridge.config_file
    code, found = await said("audit", file)
    trigger = the_trigger(found)
    assert (code, found["fine"], found["records"]) == (0, True, 100)
    assert (trigger["lost"], trigger["results"], trigger["in_transactions"]) == (0, 100, 100)
    assert trigger["position_records"] >= 100 / 16
    assert trigger["complete_up_to"] == town.platform.expected()[-1]["sequence_id"]

    await landed_again(town, records[0])
    as_text = await asyncio.to_thread(ran, "audit", "-c", str(file))
    assert "lost: 0 of what" in as_text.stdout
    assert "1  another producer wrote the copy" in as_text.stdout
    assert as_text.stdout.endswith("verdict: fine\n"), as_text.stdout


async def test_marks_that_redis_forgot_are_rebuilt_from_the_topics(town: Town) -> None:
    """D5, I5: what was acked and not advanced past when the bridge died would come twice without them."""
    town.platform.upload(60)
    town.platform.fault(op="advance", kind="status", status=500, times=None)
    town.start(town.config(batch_size=20))
    await town.until(lambda: bool(town.told_of("cycle_held")))
    town.stop()
    town.platform.http.delete("/_sandbox/faults").raise_for_status()
    with redis.Redis.from_url(town.redis.url) as client:
        client.flushall()
    assert town.bridge is not None
    code, found = await said("audit", town.bridge.config_file, "--repair")
    assert (code, found["repaired_marks"]) == (0, {"disputes": 20})
    town.start()
    records = await town.drained(60)
    assert len(records) == len({record.ce_id for record in records}) == 60


async def test_comments_that_nobody_carried_are_found_at_the_platform(town: Town) -> None:
    """I1: at_least_once keeps no counts, so only the platform can tell. Asking it moves nothing."""
    skipped = town.platform.upload(3)
    trigger = f"/api/v1/datasets/{PROJECT}/{DATASET}/triggers/{TRIGGER}"
    page = town.platform.call("POST", f"{trigger}/fetch", {"size": 16})
    town.platform.call("POST", f"{trigger}/advance", {"sequence_id": page["sequence_id"]})
    town.platform.upload(20)
    town.start()
    await town.drained(20)
    town.stop()
    town.platform.upload(2)
    assert town.bridge is not None
    code, found = await said("audit", town.bridge.config_file, "--platform")
    told = the_trigger(found)["platform"]
    assert (code, found["fine"], told["not_to_be_told"]) == (1, False, {})
    assert (told["comments"], told["carried"], told["waiting"], told["lost"]) == (25, 20, 2, 3)
    assert sorted(uid.split(".")[1] for uid in told["lost_uids"]) == skipped
    left = town.platform.call("POST", f"{trigger}/fetch", {"size": 16})
    assert len(left["results"]) == 2


async def test_a_broker_that_is_not_there_is_a_missing_neighbour(town: Town) -> None:
    config = town.config()
    config["kafka"]["bootstrap_servers"] = "127.0.0.1:1"
    bridge = Bridge(town.data_dir, config)
    assert (await asyncio.to_thread(ran, "audit", "-c", str(bridge.config_file))).returncode == 3
