"""The loop as most teams would write it: httpx, json, `send_and_wait` one by one."""

from __future__ import annotations

import asyncio
import json

import httpx
from aiokafka import AIOKafkaProducer

from tests.bench.carry.job import Job, from_argument
from tests.bench.carry.results import ROUTED, THRESHOLD


async def carry(job: Job) -> None:
    """Until the end of the results."""
    done = 0
    async with (
        httpx.AsyncClient() as platform,
        AIOKafkaProducer(bootstrap_servers=job.bootstrap_servers, acks="all", enable_idempotence=True) as producer,
    ):
        while done < job.results:
            page = (await platform.post(f"{job.url}/fetch", json={"size": job.batch_size})).json()
            for result in page["results"]:
                for label in result["labels"]:
                    if label["name"][0] in ROUTED and label["probability"] >= THRESHOLD:
                        await producer.send_and_wait(
                            job.topic(label["name"][0]),
                            json.dumps(result).encode(),
                            key=result["comment"]["uid"].encode(),
                        )
                        break
            await platform.post(f"{job.url}/advance", json={"sequence_id": page["sequence_id"]})
            done += len(page["results"])


if __name__ == "__main__":
    asyncio.run(carry(from_argument()))
