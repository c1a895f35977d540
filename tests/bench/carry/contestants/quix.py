"""Quix Streams: its producer, flushed once a batch. (Its `Source` writes to one topic only.)"""

from __future__ import annotations

import httpx
from quixstreams import Application

from tests.bench.carry.job import Job, from_argument
from tests.bench.carry.results import ROUTED, THRESHOLD


def carry(job: Job) -> None:
    """Until the end of the results."""
    app = Application(
        broker_address=job.bootstrap_servers,
        producer_extra_config={"acks": "all", "enable.idempotence": True, "linger.ms": 1},
        auto_create_topics=False,
        loglevel="ERROR",
    )
    topics = {label: app.topic(job.topic(label), value_serializer="json") for label in ROUTED}
    done = 0
    with httpx.Client() as platform, app.get_producer() as producer:
        while done < job.results:
            page = platform.post(f"{job.url}/fetch", json={"size": job.batch_size}).json()
            for result in page["results"]:
                label = next(
                    label["name"][0]
                    for label in result["labels"]
                    if label["name"][0] in ROUTED and label["probability"] >= THRESHOLD
                )
                message = topics[label].serialize(key=result["comment"]["uid"], value=result)
                producer.produce(topic=topics[label].name, key=message.key, value=message.value)
            if producer.flush() > 0:
                raise RuntimeError("a record was not delivered")
            platform.post(f"{job.url}/advance", json={"sequence_id": page["sequence_id"]})
            done += len(page["results"])


if __name__ == "__main__":
    carry(from_argument())
