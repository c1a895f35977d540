"""FastStream's `publish`, a batch gathered."""

from __future__ import annotations

import asyncio

import httpx
from faststream.kafka import KafkaBroker

from tests.bench.carry.job import Job, from_argument
from tests.bench.carry.results import ROUTED, THRESHOLD


async def carry(job: Job) -> None:
    """Until the end of the results."""
    done = 0
    async with (
        httpx.AsyncClient() as platform,
        KafkaBroker(job.bootstrap_servers, acks="all", enable_idempotence=True, log_level=50) as broker,
    ):
        while done < job.results:
            page = (await platform.post(f"{job.url}/fetch", json={"size": job.batch_size})).json()
            await asyncio.gather(
                *(
                    broker.publish(result, topic=job.topic(_label(result)), key=result["comment"]["uid"].encode())
                    for result in page["results"]
                )
            )
            await platform.post(f"{job.url}/advance", json={"sequence_id": page["sequence_id"]})
            done += len(page["results"])


def _label(result: dict[str, list[dict[str, object]]]) -> str:
    return next(
        str(label["name"][0])  # type: ignore[index]
        for label in result["labels"]
        if label["name"][0] in ROUTED and label["probability"] >= THRESHOLD  # type: ignore[index, operator]
    )


if __name__ == "__main__":
    asyncio.run(carry(from_argument()))
