"""Histories out of what really logs them: the sandbox and Apache Kafka."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from tests.history.checker import judge
from tests.history.collect import (
    BadEvidenceError,
    bridge_events,
    expectation_of,
    platform_events,
    read_log,
    read_log_file,
    read_topics,
)
from tests.history.events import Advanced, Event, Fetched, LostMark, ResetDone, UnknownReceipt
from tests.neighbours.choice import Broker
from tests.neighbours.records import MissingTopicError
from tests.neighbours.sandbox import Sandbox
from tests.neighbours.topics import Topics

TRIGGER = "org1/collateral/dispute"
BASE = "/api/v1/datasets/org1/collateral/triggers/dispute"
APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


def line(number: int, op: str, **facts: Any) -> dict[str, Any]:
    return {"n": number, "op": op, "trigger": TRIGGER, "status": 200, "done": True, "at_ms": 1000.0 + number, **facts}


def test_what_took_effect_is_read_whatever_the_client_was_told() -> None:
    lines = [
        line(1, "fetch", from_sequence_id="p0", served=["a", "b"], sequence_id="b"),
        line(2, "fetch", done=False, status=503, fault="status"),
        line(3, "advance", sequence_id="b", status=None, fault="drop"),
        line(4, "results", from_sequence_id="b", served=[], sequence_id="c"),
        line(5, "advance", done=False, status=503),
    ]
    assert platform_events(lines) == [
        Fetched(at_ms=1001, trigger=TRIGGER, from_sequence_id="p0", sequence_ids=("a", "b"), batch_id="b"),
        Advanced(at_ms=1003, trigger=TRIGGER, sequence_id="b"),
        Fetched(at_ms=1004, trigger=TRIGGER, from_sequence_id="b", sequence_ids=(), batch_id="c"),
    ]


def test_a_reset_done_again_is_the_same_generation() -> None:
    ops = [("reset", "p1"), ("reset", "p1"), ("advance", "x"), ("reset", "p1"), ("reset", "p2")]
    events = platform_events([line(n, op, sequence_id=where) for n, (op, where) in enumerate(ops)])
    assert [event.generation for event in events if isinstance(event, ResetDone)] == [1, 1, 2, 3]


def test_a_log_file_cut_by_a_kill_is_read_up_to_the_cut(tmp_path: Path) -> None:
    lines = [json.dumps(line(n, "advance", sequence_id="x")) for n in (1, 2)]
    (tmp_path / "log").write_text("\n".join([lines[0], lines[1][:20], lines[1]]))
    assert [each["n"] for each in read_log_file(tmp_path / "log")] == [1, 2]


def test_the_services_own_log_is_believed_in_its_doubts_alone() -> None:
    at = "2026-01-05T09:00:00.250000Z"
    lines = [
        {"event": "producer_abandoned", "reason": "timeout", "timestamp": at},
        {"event": "cycle_held", "trigger": "disputes", "code": "ledger_timeout", "timestamp": at},
        {"event": "cycle_held", "trigger": "disputes", "code": "unavailable", "timestamp": at},
        {"event": "batch_advanced", "trigger": "disputes", "timestamp": at},
    ]
    at_ms = datetime.fromisoformat(at).timestamp() * 1000
    assert bridge_events(lines, {"disputes": TRIGGER}) == [
        UnknownReceipt(at_ms=at_ms, trigger=TRIGGER),
        LostMark(at_ms=at_ms, trigger=TRIGGER),
    ]


def test_generations_are_owed_from_the_instant_of_their_reset_on() -> None:
    results = [{"uid": f"u{n}", "sequence_id": f"s{n}", "created_at": f"2026-01-05T09:00:0{n}Z"} for n in range(3)]
    owed = expectation_of(TRIGGER, results, lambda _: {"r": "t"}, [datetime.fromisoformat("2026-01-05T09:00:01+00:00")])
    assert [each.uid for each in owed.generations[0]] == ["u0", "u1", "u2"]
    assert [each.uid for each in owed.generations[1]] == ["u1", "u2"]


class Platform:
    """The calls of one consumer, by hand."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.http = httpx.Client(base_url=sandbox.url, headers={"authorization": f"Bearer {sandbox.token}"})

    def call(self, method: str, path: str, body: object) -> dict[str, Any]:
        answer = self.http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def prepare(self, comments: int) -> None:
        source = self.call("PUT", "/api/v1/sources/org1/mail", {"source": {}})["source"]["id"]
        self.call("PUT", "/api/v1/datasets/org1/collateral", {"dataset": {"source_ids": [source]}})
        message = {"timestamp": "2026-01-05T09:00:00Z", "messages": [{"body": {"text": "hello"}}]}
        rows = [{"id": f"{number:04x}", **message} for number in range(comments)]
        self.call("POST", "/api/v1/sources/org1/mail/sync", {"comments": rows})
        self.call("PUT", "/api/v1/datasets/org1/collateral/triggers", {"trigger": {"name": "dispute"}})

    def expected(self) -> list[dict[str, Any]]:
        text = self.http.get("/_sandbox" + BASE.removeprefix("/api/v1") + "/expected").text
        return [json.loads(each) for each in text.splitlines()]


@pytest.fixture
async def producer(kafka: Broker) -> AsyncIterator[AIOKafkaProducer]:
    made = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")
    await made.start()
    yield made
    await made.stop()


async def send(producer: AIOKafkaProducer, topic: str, result: dict[str, Any], generation: int = 0) -> None:
    uid, sequence_id = result["comment"]["uid"], result["sequence_id"]
    headers = {
        "ce_id": f"{generation}.{sequence_id}",
        "ce_source": "/org1/collateral/triggers/dispute",
        "ce_subject": uid,
        "ce_generation": str(generation),
        "ce_route": "all",
    }
    value = json.dumps({"sequence_id": sequence_id, "generation": generation}).encode()
    sent = [(name, text.encode()) for name, text in headers.items()]
    await producer.send_and_wait(topic, value, key=uid.encode(), headers=sent)


async def test_a_small_run_by_hand_is_read_and_judged(
    sandbox: Sandbox, kafka: Broker, topics: Topics, producer: AIOKafkaProducer
) -> None:
    """The whole road of the evidence, with everything real; then the same run with its first advance too early."""
    topic = await topics.create("all", partitions=3, config=APPEND_TIME)
    platform = Platform(sandbox)
    platform.prepare(5)
    for size in (2, 3):
        batch = platform.call("POST", f"{BASE}/fetch", {"size": size})
        for result in batch["results"]:
            await send(producer, topic, result)
        platform.call("POST", f"{BASE}/advance", {"sequence_id": batch["sequence_id"]})
    results = platform.expected()
    instant = results[0]["created_at"]
    platform.call("POST", f"{BASE}/reset", {"to_comment_created_at": instant})
    batch = platform.call("POST", f"{BASE}/fetch", {"size": 10})
    for result in batch["results"]:
        await send(producer, topic, result, generation=1)
    platform.call("POST", f"{BASE}/advance", {"sequence_id": batch["sequence_id"]})

    log = platform_events(read_log(platform.http))
    records = await read_topics(kafka.bootstrap_servers, [topic])
    owed = expectation_of(TRIGGER, results, lambda _: {"all": topic}, [datetime.fromisoformat(instant)])
    verdict = judge([*log, *records], [owed])
    assert not verdict.violations, verdict.explained()
    figures = verdict.figures
    assert (figures.results, figures.records, figures.advances, figures.resets) == (5, 10, 3, 1)

    first = next(event for event in log if isinstance(event, Advanced))
    hasty: list[Event] = [Advanced(at_ms=0, trigger=TRIGGER, sequence_id=first.sequence_id), *log[2:]]
    assert "advanced_before_ack" in judge([log[0], *hasty, *records], [owed]).codes
    assert "lost" in judge([*log, *records[1:]], [owed]).codes
    platform.http.close()


async def test_times_the_sender_chose_are_no_evidence(
    kafka: Broker, topics: Topics, producer: AIOKafkaProducer
) -> None:
    topic = await topics.create("sender-time")
    await send(producer, topic, {"comment": {"uid": "u"}, "sequence_id": "s"})
    with pytest.raises(BadEvidenceError, match="LogAppendTime"):
        await read_topics(kafka.bootstrap_servers, [topic])
    with pytest.raises(MissingTopicError, match="not there: nowhere"):
        await read_topics(kafka.bootstrap_servers, ["nowhere"])


def test_a_log_that_has_lost_events_is_no_evidence() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"status": "ok", "latest": 9, "first_kept": 5, "events": []})

    with (
        httpx.Client(transport=httpx.MockTransport(answer), base_url="http://sandbox") as http,
        pytest.raises(BadEvidenceError, match="events 1 to 4"),
    ):
        read_log(http)
