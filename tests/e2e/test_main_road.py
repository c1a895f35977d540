"""One trigger, from the platform to the topics, with everything real."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import redis

from tests.e2e.platform import DATASET, PROJECT, TRIGGER
from tests.e2e.topics import Read
from tests.e2e.town import LANES, Town


def uids_by_topic(records: list[Read]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        found[record.topic].add(record.uid)
    return found


def assert_each_key_in_order(records: list[Read], order: list[str]) -> None:
    """I9."""
    place = {uid: number for number, uid in enumerate(order)}
    lanes: dict[tuple[str, bytes | None], list[int]] = defaultdict(list)
    for record in records:
        lanes[record.topic, record.key].append(place[record.uid])
    for lane in lanes.values():
        assert lane == sorted(lane)


async def test_every_result_reaches_its_topic_once_and_in_order(town: Town) -> None:
    """I4, I9."""
    town.platform.upload(1500)
    town.start(town.config(batch_size=200))
    records = await town.drained(1500)
    expected = town.expected_topics()
    assert uids_by_topic(records) == {topic: set(uids) for topic, uids in expected.items() if uids}
    assert len(records) == len({record.ce_id for record in records}) == 1500
    assert_each_key_in_order(records, [result["uid"] for result in town.platform.expected()])


async def test_the_platforms_bytes_reach_the_record_as_they_are(town: Town) -> None:
    """D6."""
    town.platform.upload(20, text="Grüße \U0001f4a9 \u202e e\u0301")
    page = town.platform.http.post(
        f"/api/v1/datasets/{PROJECT}/{DATASET}/triggers/{TRIGGER}/fetch", json={"size": 20}
    ).content
    town.start()
    for record in await town.drained(20):
        own = record.value.index(b"},", record.value.index(b'"matched":')) + 2
        assert record.value[own:] in page
        assert record.headers["traceparent"].startswith("00-")


async def test_a_reset_through_the_admin_api_delivers_exactly_from_there_on_while_all_marks_stand(town: Town) -> None:
    """I3, D4: the next generation passes the marks of the last."""
    town.platform.upload(30)
    bridge = town.start()
    first = await town.drained(30)
    second_from = datetime.now(UTC) + timedelta(milliseconds=5)
    await town.until(lambda: datetime.now(UTC) > second_from + timedelta(milliseconds=50))
    town.platform.upload(30)
    both = await town.drained(60)
    late = {record.uid for record in both} - {record.uid for record in first}

    with bridge.api as api:
        answer = api.post(
            "/api/v1/triggers/disputes/resets",
            json={"to_comment_created_at": second_from.isoformat(), "reason": "a test"},
        )
        assert answer.status_code == 202
        location = answer.headers["location"]
        await town.until(lambda: api.get(location).json()["phase"] == "done")
        reset = api.get(location).json()
        history = api.get("/api/v1/triggers/disputes/resets").json()["resets"]
    assert (reset["generation"], reset["replayed"], reset["requested_by"]) == (1, 30, "operate")
    assert [one["id"] for one in history] == [reset["id"]]

    records = await town.drained(90)
    assert len(records) == 90
    again = [record for record in records if record.generation == 1]
    assert {record.uid for record in again} == late
    assert len({record.ce_id for record in records}) == 90


async def test_a_pause_survives_a_restart_and_a_flushed_ledger(town: Town) -> None:
    """D18."""
    bridge = town.start()
    with bridge.api as api:
        await town.until(lambda: api.get("/readyz").status_code == 200)
        assert api.post("/api/v1/triggers/disputes/pause", json={"reason": "month end"}).status_code == 202
    bridge.kill()
    with redis.Redis.from_url(town.redis.url) as client:
        client.flushall()
    bridge.restart()
    town.platform.upload(10)
    await town.until(lambda: town.state() == "paused")
    assert bridge.trigger()["paused_by"] == "operate"
    assert await town.read() == []
    with bridge.api as api:
        assert api.post("/api/v1/triggers/disputes/resume").status_code == 202
    assert len(await town.drained(10)) == 10


async def test_changed_routes_are_taken_over_without_a_restart_and_a_bad_file_is_not(town: Town) -> None:
    """D9."""
    bridge = town.start()
    bridge.configure({**town.config(), "triggers": [{"name": "disputes"}]})
    await town.until(lambda: bool(bridge.events("config_refused")))
    town.platform.upload(3)
    await town.drained(3)
    merged = town.config(routes=[{"name": "all", "topic": town.topic(LANES["b"]), "when": {"always": True}}])
    bridge.configure(merged)
    await town.until(lambda: bool(bridge.events("config_reloaded")))
    town.platform.upload(3)
    records = await town.drained(6)
    assert sum(record.headers["ce_route"] == "all" for record in records) == 3


async def test_sigterm_ends_the_pass_in_flight_and_exits_with_zero(town: Town) -> None:
    town.platform.upload(2000)
    bridge = town.start(town.config(batch_size=50))
    await town.until(lambda: bool(bridge.events("batch_advanced")))
    code = bridge.terminate()
    assert code == 0
    assert bridge.events("stopped")
    advanced = sum(line["results"] for line in bridge.events("batch_advanced"))
    records = await town.read()
    assert len(records) == len({record.ce_id for record in records}) == advanced


async def test_a_second_sigterm_ends_it_at_once(town: Town) -> None:
    bridge = town.start()
    await town.until(town.is_idle)
    town.platform.sandbox.pause()
    try:
        await town.until(lambda: bridge.signalled_twice() is not None, within_s=20)
    finally:
        town.platform.sandbox.resume()
    assert bridge.signalled_twice() == 1
    assert bridge.events("ended_hard")


async def test_the_health_and_metrics_endpoints_say_what_is(town: Town) -> None:
    town.platform.upload(10)
    bridge = town.start()
    await town.drained(10)
    with bridge.api as api:
        assert api.get("/livez").json() == {"status": "ok", "stuck": []}
        assert api.get("/readyz").json()["parts"] == {"state": "ok", "kafka": "ok", "redis": "ok"}
        metrics = api.get("/metrics").text
    assert 'bridge_results_fetched_total{trigger="disputes"} 10.0' in metrics
    assert "bridge_batch_seconds_bucket" in metrics
    assert 'bridge_trigger_state{state="idle",trigger="disputes"} 1.0' in metrics
    for line in bridge.lines:
        assert "hello" not in json.dumps(line), "I10"
