"""The subscriber of the README, as it stands there, behind a real bridge."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from bridge.consumer.reader import read_complete
from tests.e2e.topics import Read, read_topics
from tests.e2e.town import Town

README = Path(__file__).parents[2] / "README.md"
TOPIC = "rpa.disputes.urgent"
SUBSCRIBER = re.compile(r"```python\n(# subscriber\.py.*?)```", re.DOTALL)
TRACED = """
import asyncio, json, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

def one_line(span):
    return "SPAN " + json.dumps({"trace": f"{span.context.trace_id:032x}", "parent": f"{span.parent.span_id:016x}"})

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda s: one_line(s) + chr(10))))
trace.set_tracer_provider(provider)
import subscriber
asyncio.run(subscriber.app.run())
"""


@dataclass
class Subscriber:
    """The process, and what it has printed."""

    output: Path

    def worked(self) -> list[tuple[int, str]]:
        """Generation and uid, in the order of work."""
        lines = [line.split(" ", 2) for line in self.output.read_text().splitlines()]
        return [(int(line[0]), line[1]) for line in lines if len(line) == 3 and line[0].isdigit()]

    def spans(self) -> list[dict[str, Any]]:
        lines = self.output.read_text().splitlines()
        return [json.loads(line.removeprefix("SPAN ")) for line in lines if line.startswith("SPAN ")]


@pytest.fixture
def subscriber(town: Town, tmp_path: Path) -> Iterator[Subscriber]:
    found = SUBSCRIBER.search(README.read_text())
    assert found, "the README shows a subscriber"
    (tmp_path / "subscriber.py").write_text(found[1])
    output = tmp_path / "output"
    environment = {**os.environ, "KAFKA": town.kafka.bootstrap_servers}
    with output.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-c", TRACED], cwd=tmp_path, env=environment, stdout=out)
    yield Subscriber(output)
    process.terminate()
    process.wait(20)


async def append(town: Town, *copies: Read, **headers: str) -> None:
    """As a broker does that appends late what it had in hand."""
    async with AIOKafkaProducer(bootstrap_servers=town.kafka.bootstrap_servers) as producer:
        for copy in copies:
            said = [(name, value.encode()) for name, value in (copy.headers | headers).items()]
            await producer.send_and_wait(copy.topic, copy.value, key=copy.key, partition=copy.partition, headers=said)


async def test_the_subscriber_of_the_readme_works_once_and_joins_the_trace(town: Town, subscriber: Subscriber) -> None:
    """I5: each cause of a repeat is met with a copy of its own."""
    await town.topics.create_named(TOPIC, 1)
    all_to_one = [{"name": "urgent", "topic": TOPIC, "when": {"always": True}}]
    bridge = town.start(town.config(routes=all_to_one, delivery="exactly_once"))
    town.platform.upload(5)
    await town.until(lambda: len(subscriber.worked()) == 5)

    first = await read_topics(town.kafka.bootstrap_servers, [TOPIC])
    await append(town, *first[:2])
    with bridge.api as api:
        beginning = {"to_comment_created_at": "2020-01-01T00:00:00Z", "reason": "a test"}
        assert api.post("/api/v1/triggers/disputes/resets", json=beginning).status_code == 202
    await town.until(lambda: len(subscriber.worked()) == 10)
    await append(town, first[0], ce_id="0" * 32)
    town.platform.upload(1)
    await town.until(lambda: len(subscriber.worked()) == 11)

    everything = await read_topics(town.kafka.bootstrap_servers, [TOPIC])
    assert len(everything) == 14, "eleven records, and three copies that were appended by hand"
    uids = [record.uid for record in first]
    assert subscriber.worked() == [(0, uid) for uid in uids] + [(1, uid) for uid in [*uids, everything[-1].uid]]

    complete = (await read_complete(town.deployment, bootstrap_servers=town.kafka.bootstrap_servers))["disputes"]
    assert (complete.generation, complete.records) == (1, {"urgent": 1})
    assert complete.last == everything[-1].body["sequence_id"], "complete up to the last result"

    assert len(subscriber.spans()) == 11
    begun = {tuple(record.headers["traceparent"].split("-")[1:3]) for record in everything}
    assert {(span["trace"], span["parent"]) for span in subscriber.spans()} == begun
