"""What an audit costs: `python -m tests.bench.audit_bench [RECORDS]` starts Apache Kafka, fills two topics, reads them.

Prints one JSON object: peak memory of the auditing process, its CPU time and wall time for each record.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.publisher import KafkaPublisher
from bridge.adapters.kafka.scan import scanning
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.audit import Auditor
from bridge.domain.delivery import Delivery, mark_key
from bridge.domain.model import Generation, SequenceId
from bridge.domain.record import RecordWriter, own_headers
from tests.fakes.plans import REF, a_plan
from tests.neighbours import ApacheKafka
from tests.neighbours.topics import Topics

TOPICS, PARTITIONS, AT_ONCE, VALUE_BYTES = ("bench.a", "bench.b"), 6, 5_000, 400
PEAK_MB_MAX = 300


def deliveries(start: int, count: int) -> Iterator[Delivery]:
    """Every comment on one topic, five to a thread, a millisecond apart."""
    plan = a_plan()
    writer = RecordWriter(plan.name, REF, Generation(0), "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    shared = {topic: writer.on("urgent", topic).shared_headers for topic in TOPICS}
    value = json.dumps({"text": "x" * VALUE_BYTES}).encode()
    for number in range(start, start + count):
        mark = mark_key(REF.identity, Generation(0), SequenceId(f"seq-{number}"), "urgent")
        created = f"2020-06-01T{number // 3_600_000 % 24:02}:{number // 60_000 % 60:02}:{number % 60_000 / 1000:06.3f}Z"
        names, texts = own_headers(mark, f"18ba5ce699f8da1f.{number:x}", created)
        yield Delivery(
            mark=mark,
            topic=TOPICS[number % 2],
            route="urgent",
            key=f"thread-{number // 5}".encode(),
            front=value,
            rest=b"",
            shared_headers=shared[TOPICS[number % 2]],
            own_names=names,
            own_texts=texts,
            sequence_id=SequenceId(f"seq-{number}"),
            uid=f"{number:x}",
        )


async def fill(settings: KafkaSettings, records: int) -> None:
    topics = Topics(settings.bootstrap_servers)
    for topic in TOPICS:
        await topics.create_named(topic, PARTITIONS)
    async with KafkaPublisher(settings, SystemClock(), on_abandoned=print) as publisher:
        for start in range(0, records, AT_ONCE):
            receipts = await publisher.publish(list(deliveries(start, min(AT_ONCE, records - start))))
            assert all(receipt.outcome.value == "acked" for receipt in receipts)


async def read(settings: KafkaSettings) -> dict[str, object]:
    auditor = Auditor({REF.identity: "disputes"}, {REF.identity: 0})
    async with scanning(settings, SystemClock()) as scanner:
        for stretch in await scanner.stretches(TOPICS):
            async for records in scanner.records(stretch):
                auditor.take(records)
    (audited,) = auditor.findings()
    assert audited.is_fine, audited.samples
    return {"records": audited.records, "results": audited.results}


def measured(settings: KafkaSettings, answer: Connection) -> None:
    """In a process of its own, so that the peak is the audit's."""
    began_s, cpu_s = time.perf_counter(), time.process_time()
    found = asyncio.run(read(settings))
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    count = int(str(found["records"]))
    answer.send(
        {
            **found,
            "peak_mb": round(peak_mb, 1),
            "cpu_us_per_record": round(cpu_s / count * 1e6, 2),
            "records_per_s": round(count / wall_s),
        }
    )


def main(records: int) -> int:
    with tempfile.TemporaryDirectory(prefix="audit-bench-") as data_dir:
        broker = ApacheKafka.start(Path(data_dir))
        try:
            settings = replace(
                KafkaSettings(bootstrap_servers=broker.bootstrap_servers), publish_timeout_s=120.0, compression="zstd"
            )
            asyncio.run(fill(settings, records))
            context = get_context("spawn")
            ours, theirs = context.Pipe()
            auditing = context.Process(target=measured, args=(settings, theirs))
            auditing.start()
            figures = ours.recv()
            auditing.join()
        finally:
            broker.stop()
    print(json.dumps(figures))
    return 0 if figures["peak_mb"] <= PEAK_MB_MAX else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
