"""The least that does the job: fetch, splice, produce, advance, one after the other, on the fastest clients there are.

No ledger, no retry, no metric, no log; the records are those of the service, byte for byte but for the trace header.
http.client over one connection, msgspec, librdkafka with idempotence.
"""

from __future__ import annotations

import http.client
import json
from hashlib import blake2b

import msgspec
from confluent_kafka import KafkaException, Producer

from tests.bench.carry.job import DATASET, PROJECT, Job, from_argument
from tests.bench.carry.results import ROUTED, THRESHOLD


class _Prediction(msgspec.Struct):
    name: list[str]
    probability: float


class _Comment(msgspec.Struct):
    uid: str
    created_at: str


class _Result(msgspec.Struct):
    comment: _Comment
    labels: list[_Prediction]
    sequence_id: str


class _Page(msgspec.Struct):
    sequence_id: str
    results: list[msgspec.Raw]


def carry(job: Job) -> None:
    """Until the end of the results."""
    http_ = http.client.HTTPConnection(job.host, job.port)
    producer = Producer(
        {
            "bootstrap.servers": job.bootstrap_servers,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 0.5,
            "queue.buffering.max.messages": 100_000,
            "batch.size": 900_000,
            "batch.num.messages": 10_000,
        }
    )
    decode_page = msgspec.json.Decoder(_Page).decode
    decode_result = msgspec.json.Decoder(_Result).decode
    trigger = json.dumps(
        {"name": job.trigger, "project": PROJECT, "dataset": DATASET, "trigger": job.trigger}, separators=(",", ":")
    ).encode()
    openings = {
        label: b'{"trigger":%b,"generation":0,"route":{"name":"%b","topic":"%b",'
        % (trigger, label.lower().encode(), job.topic(label).encode())
        + b'"matched":[{"label":["%b"],"probability":' % label.encode()
        for label in ROUTED
    }
    topics = {label: job.topic(label) for label in ROUTED}
    common = [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_source", f"/{PROJECT}/{DATASET}/triggers/{job.trigger}".encode()),
        ("ce_generation", b"0"),
        ("ce_type", b"com.reinfer.trigger.result.v1"),
    ]
    body = json.dumps({"size": job.batch_size})
    failures: list[object] = []

    def acked(error: object, _: object) -> None:
        if error is not None:
            failures.append(error)

    done = 0
    while done < job.results:
        http_.request("POST", f"{job.path}/fetch", body)
        page = decode_page(http_.getresponse().read())
        for raw in page.results:
            result = decode_result(raw)
            for label in result.labels:
                name = label.name[0]
                if name in topics and label.probability >= THRESHOLD and len(label.name) == 1:
                    value = b'%b%b,"min":0.5}]},%b' % (openings[name], repr(label.probability).encode(), bytes(raw)[1:])
                    ce_id = blake2b(f"{job.trigger}{result.sequence_id}{name}".encode(), digest_size=16).hexdigest()
                    producer.produce(
                        topics[name],
                        value,
                        result.comment.uid,
                        on_delivery=acked,
                        headers=[
                            *common,
                            ("ce_id", ce_id.encode()),
                            ("ce_route", name.lower().encode()),
                            ("ce_subject", result.comment.uid.encode()),
                            ("ce_time", result.comment.created_at.encode()),
                        ],
                    )
                    break
        producer.flush()
        if failures:
            raise KafkaException(failures[0])
        http_.request("POST", f"{job.path}/advance", json.dumps({"sequence_id": page.sequence_id}))
        http_.getresponse().read()
        done += len(page.results)


if __name__ == "__main__":
    carry(from_argument())
