"""What only a real broker shows of reading topics back."""

from __future__ import annotations

import asyncio

import pytest

from bridge.adapters.clock import SystemClock
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.adapters.kafka.topic_reader import KafkaTopicReader
from bridge.domain.errors import Blocked, Retry
from bridge.domain.topic_record import Bounds
from tests.fakes.plans import a_plan
from tests.neighbours.choice import Broker
from tests.neighbours.process import free_port

pytestmark = pytest.mark.kafka_apache


async def test_a_missing_topic_is_named(kafka: Broker) -> None:
    reader = KafkaTopicReader(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers), SystemClock())
    with pytest.raises(Blocked, match=r"topic rpa.dead does not exist"):
        await reader.dead_letters(a_plan(), Bounds())


async def test_nobody_there_is_a_missing_neighbour() -> None:
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")
    with pytest.raises(Retry):
        await KafkaTopicReader(settings, SystemClock()).dead_letters(a_plan(), Bounds())


async def test_a_search_ends_in_time() -> None:
    """A broker that stands still must not hold a page of the admin API for ever."""
    async with await asyncio.start_server(_never_answer, "127.0.0.1", 0) as mute:
        settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{mute.sockets[0].getsockname()[1]}")
        with pytest.raises(Retry, match="longer than"):
            await KafkaTopicReader(settings, SystemClock(), timeout_s=0.3).dead_letters(a_plan(), Bounds())


async def _never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()
