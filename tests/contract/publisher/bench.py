"""What publishing costs: `python -m tests.contract.publisher.bench [BOOTSTRAP_SERVERS]`; without, a broker is started.

Client CPU and wall time of one call of 1,024 deliveries with ten headers over eight partitions.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.publisher import KafkaPublisher
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.delivery import Delivery, mark_key
from bridge.domain.model import Generation, SequenceId
from tests.contract.publisher.words import all_acked
from tests.neighbours.choice import start_kafka
from tests.neighbours.topics import Topics

RECORDS = 1_024
ROUNDS = 30
TEXT = "dear team please settle the trade of friday and confirm the fee which client disputes since monday"
HEADERS = tuple((f"ce_header{number}", b"a value of usual length %02d" % number) for number in range(10))


def a_value(size: int, seed: int) -> bytes:
    """Text that compresses as mail does."""
    chance, known = random.Random(seed), TEXT.split()
    words = [chance.choice(known) + chance.choice(["", "", f" {chance.randrange(10**6)}"]) for _ in range(size // 5)]
    return json.dumps({"text": " ".join(words)}).encode()[:size]


def deliveries_of(topic: str, size: int) -> list[Delivery]:
    return [
        Delivery(
            mark=mark_key("bench", Generation(0), SequenceId(str(number)), topic),
            topic=topic,
            route="bench",
            key=b"%036d" % number,
            front=b"",
            rest=a_value(size, number),
            shared_headers=HEADERS,
            own_names=(),
            own_texts=(),
            sequence_id=SequenceId(str(number)),
            uid=str(number),
        )
        for number in range(RECORDS)
    ]


async def measure(bootstrap_servers: str, compression: str | None, size: int) -> str:
    topics = Topics(bootstrap_servers)
    topic = await topics.create("bench", 8)
    settings = KafkaSettings(bootstrap_servers=bootstrap_servers, compression=compression)
    deliveries = deliveries_of(topic, size)
    cpu_us: list[float] = []
    wall_ms: list[float] = []
    async with KafkaPublisher(settings, SystemClock(), on_abandoned=print) as publisher:
        for _ in range(3):
            assert all_acked(await publisher.publish(deliveries))
        for _ in range(ROUNDS):
            cpu_s, wall_s = time.process_time(), time.perf_counter()
            assert all_acked(await publisher.publish(deliveries))
            cpu_us.append((time.process_time() - cpu_s) / RECORDS * 1e6)
            wall_ms.append((time.perf_counter() - wall_s) * 1e3)
    await topics.remove_all()
    median, least = statistics.median(cpu_us), min(cpu_us)
    return f"{median:5.1f} [{least:4.1f}] us CPU a record, {statistics.median(wall_ms):5.1f} ms a call"


async def main(bootstrap_servers: str) -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    for size in (1_000, 4_000):
        for compression in (None, "snappy", "zstd"):
            print(f"{size} B {compression or 'none':6} {await measure(bootstrap_servers, compression, size)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as directory:
            broker = start_kafka(Path(directory))
            try:
                asyncio.run(main(broker.bootstrap_servers))
            finally:
                broker.stop()
