"""`bridge demo --data` over text that nobody here wrote, on the run's own brokers.

What must be on each topic is worked out here anew: from the predictions that the platform's file holds, with a
threshold in plain Python; what is on each topic is asked of the broker.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from bridge.app.demo.sample.mail import make_sample
from tests.e2e.demo_process import run
from tests.neighbours.choice import Broker
from tests.neighbours.sandbox import Sandbox

pytestmark = pytest.mark.timeout(220)

REAL_DATA = Path(os.environ.get("BRIDGE_REAL_DATA") or Path(__file__).parents[3] / "shared" / "data")
ROWS_MAX = 1500
MIN = 0.5
Row = tuple[str, list[list[str]]]


def banking77() -> Iterator[Row]:
    """Every seventh row, so that each category is among them."""
    with (REAL_DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[:: max(1, len(rows) // ROWS_MAX)][:ROWS_MAX]:
        yield row["text"], [[row["category"].replace("_", " ")]]


def nlupp() -> Iterator[Row]:
    """Several intents on one utterance; some have none."""
    for fold in sorted((REAL_DATA / "nlupp").glob("banking-fold*.json")):
        for each in json.loads(fold.read_text(encoding="utf-8")):
            yield each["text"], [[intent.replace("_", " ")] for intent in each.get("intents", [])]


def sample() -> Iterator[Row]:
    """The generator's mail, where nothing else is at hand."""
    for upload in make_sample(200):
        messages: Any = upload.comment["messages"]
        yield messages[0]["body"]["text"] if messages else "", [list(label) for label in upload.labels]


def rows_of(name: str) -> Sequence[Row]:
    if name != "sample" and not (REAL_DATA / name).is_dir():
        pytest.skip(f"no {name} in {REAL_DATA}: set BRIDGE_REAL_DATA; the generator's mail is used in its place")
    return list({"banking77": banking77, "nlupp": nlupp, "sample": sample}[name]())


def topic_of(label: Sequence[str]) -> str:
    """As the demo names it; the data has no two labels that spell alike."""
    return "demo." + ".".join(re.sub("[^a-z0-9]+", "-", level.lower()).strip("-") for level in label)


@pytest.mark.parametrize("name", ["banking77", "nlupp", "sample"])
async def test_counts_per_topic_are_those_of_the_platform_s_predictions(
    name: str, tmp_path: Path, kafka: Broker, redis_url: str
) -> None:
    rows = rows_of(name)
    data = tmp_path / "rows.jsonl"
    lines = [
        json.dumps({"comment": {"messages": [{"body": {"text": text}}]}, "labels": labels}) for text, labels in rows
    ]
    data.write_text("\n".join(lines), encoding="utf-8")
    topics = {topic_of(label) for _, labels in rows for label in labels} | {"demo.unrouted", "demo.dead"}
    before = await ends_of(kafka.bootstrap_servers, topics)

    given = ("--kafka", kafka.bootstrap_servers, "--redis", redis_url)
    demo, ended = run(
        tmp_path, "--once", "--json", "--keep", "--data", str(data), *given, "--timeout", "120", within_s=150
    )
    assert ended.code == 0, ended.err
    summary = ended.summary

    landed = await ends_of(kafka.bootstrap_servers, topics) - before
    wanted = wanted_by_topic(Path(summary["directory"]), len(rows), {tuple(one) for _, many in rows for one in many})
    assert landed == wanted
    assert wanted["demo.unrouted"] < len(rows) / 2, "most of it must be routed for the counts to say something"
    assert +Counter(summary["published"]) == wanted
    assert summary["unmatched"] == wanted["demo.unrouted"]
    assert (summary["comments"], summary["lost"], summary["dead_letters"]) == (len(rows), 0, 0)
    assert not [each for each in demo.leftovers() if not isinstance(each, Path)]


async def ends_of(bootstrap_servers: str, topics: set[str]) -> Counter[str]:
    """How many records each topic ever got, those that are there."""
    admin, consumer = (
        AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers),
        AIOKafkaConsumer(bootstrap_servers=bootstrap_servers),
    )
    await admin.start()
    await consumer.start()
    try:
        described = await admin.describe_topics(sorted(topics & set(await admin.list_topics())))
        partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
        consumer.assign(partitions)
        counted: Counter[str] = Counter()
        for partition, end in (await consumer.end_offsets(partitions)).items():
            counted[partition.topic] += end
        return counted
    finally:
        await consumer.stop()
        await admin.close()


def wanted_by_topic(kept: Path, results: int, taught: set[tuple[str, ...]]) -> Counter[str]:
    """From the platform's own file, served once more by a fresh process.

    The model knows the parents of a label too; the demo routes by the labels that were given.
    """
    platform = Sandbox(kept)
    platform.begin()
    try:
        answer = httpx.get(
            f"{platform.url}/_sandbox/datasets/demo/back-office/triggers/mail/expected",
            headers={"Authorization": f"Bearer {platform.token}"},
            timeout=120,
            trust_env=False,
        )
        promised = [json.loads(line) for line in answer.raise_for_status().text.splitlines()]
    finally:
        platform.stop()
    assert len(promised) == results
    counted: Counter[str] = Counter()
    for result in promised:
        sure = [label for label in result["labels"] if label["probability"] >= MIN and tuple(label["name"]) in taught]
        counted.update(topic_of(label["name"]) for label in sure)
        counted["demo.unrouted"] += not sure
    return +counted
