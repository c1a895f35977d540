"""A broker that dies, stands still, or hears us late: nothing acked is lost, and nothing overtakes (I1, I5, I9)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from bridge.adapters.kafka.line import Identity
from bridge.domain.delivery import Delivery, Outcome, Receipt
from bridge.domain.errors import BridgeError, Retry
from bridge.domain.model import Batch, SequenceId
from bridge.domain.settle import Settled, settle
from tests.contract.publisher.conftest import KafkaWorld, MakeWorld
from tests.contract.publisher.history import lost, overtaken
from tests.contract.publisher.proxy import Proxy
from tests.contract.publisher.words import a_delivery, all_acked, number_of, numbered, outcomes, rows_of
from tests.neighbours.apache import ApacheKafka
from tests.neighbours.choice import Broker, choose, start_kafka
from tests.neighbours.process import free_port
from tests.neighbours.topics import Topics

pytestmark = pytest.mark.kafka_apache

BATCH = 20
HEALED_S = 40.0


@pytest.fixture(scope="module")
def hurt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that may be hurt; each test leaves it running."""
    broker = start_kafka(tmp_path_factory.mktemp("hurt"))
    yield broker
    broker.stop()


@pytest.fixture
async def own(hurt: Broker, world_on: MakeWorld) -> AsyncIterator[KafkaWorld]:
    """A publisher on it."""
    yield world_on(hurt.bootstrap_servers, publish_timeout_s=2.0, request_timeout_s=0.7)
    hurt.resume()


class Worker:
    """Publishes batch after batch as the engine does: only what is not marked, and none before the last is settled."""

    def __init__(self, world: KafkaWorld, topic: str) -> None:
        self._world = world
        self._topic = topic
        self.answers: list[tuple[int, Receipt]] = []
        self.batches = 0
        self.held: list[str] = []

    async def run(self, until: asyncio.Event) -> None:
        """At least one batch, whole."""
        while not until.is_set() or not self.batches:
            await self.carry(self.batches)
            self.batches += 1

    async def carry(self, number: int) -> None:
        numbers = range(number * BATCH, (number + 1) * BATCH)
        deliveries = numbered(self._topic, numbers)
        batch = Batch(results=(), sequence_id=SequenceId(str(number)), filtered=0, is_end=None, size_asked=BATCH)
        marked: set[bytes] = set()
        deadline = time.monotonic() + HEALED_S
        while time.monotonic() < deadline:
            to_send = [delivery for delivery in deliveries if delivery.mark not in marked]
            try:
                receipts = await self._world.publisher.publish(to_send)
            except BridgeError as error:
                self.held.append(error.code)
                await asyncio.sleep(0.05)
                continue
            self._note(to_send, receipts)
            verdict = settle(batch, deliveries, frozenset(marked), receipts)  # type: ignore[arg-type]
            marked.update(verdict.marks)
            if isinstance(verdict, Settled):
                return
            self.held.append(verdict.first_failure.code)
        raise AssertionError(f"batch {number} did not settle within {HEALED_S:.0f} s: {self.held[-5:]}")

    def _note(self, sent: list[Delivery], receipts: Sequence[Receipt]) -> None:
        numbers = [int(delivery.uid.removeprefix("uid-")) for delivery in sent]
        self.answers += zip(numbers, receipts, strict=True)


def batch_of(number: int) -> int:
    return number // BATCH


async def judged(own: KafkaWorld, topic: str, workers: Worker) -> None:
    rows = await rows_of(own.bootstrap_servers, topic)
    assert lost(rows, workers.answers) == []
    assert overtaken(rows, batch_of) == []
    assert {number_of(row) for row in rows} == set(range(workers.batches * BATCH))


async def test_a_broker_killed_twice_while_publishing_loses_nothing_and_reorders_nothing(
    own: KafkaWorld, hurt: Broker
) -> None:
    topic = await own.make(3)
    worker, enough = Worker(own, topic), asyncio.Event()
    working = asyncio.create_task(worker.run(enough))
    for _ in range(2):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(hurt.kill)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(hurt.restart)
    batches = worker.batches
    while worker.batches < batches + 3:
        await asyncio.wait({working}, timeout=0.05)
        if working.done():
            break
    enough.set()
    await working
    assert worker.held, "the kills were not noticed"
    await judged(own, topic, worker)


async def test_a_broker_that_stands_still_is_unknown_in_bound_and_healed(own: KafkaWorld, hurt: Broker) -> None:
    topic = await own.make(3)
    assert all_acked(await own.publisher.publish(numbered(topic, range(BATCH))))
    hurt.pause()
    began = time.monotonic()
    receipts = await own.publisher.publish(numbered(topic, range(BATCH, 2 * BATCH)))
    assert 1.9 < time.monotonic() - began < 3.0
    assert set(outcomes(receipts)) == {Outcome.UNKNOWN}
    assert len(own.abandoned) == 1
    with pytest.raises(Retry):
        await own.publisher.publish(numbered(topic, range(BATCH, 2 * BATCH)))
    with pytest.raises(Retry):
        await own.publisher.ping()
    hurt.resume()
    worker = Worker(own, topic)
    await worker.carry(1)
    await worker.carry(2)
    rows = await rows_of(own.bootstrap_servers, topic)
    assert overtaken(rows, batch_of) == []
    assert {number_of(row) for row in rows} == set(range(3 * BATCH))


async def test_all_who_wait_on_an_abandoned_producer_are_told_at_once(own: KafkaWorld, hurt: Broker) -> None:
    """One call is cancelled; the others on the same producer do not wait for their own deadlines."""
    topics = [await own.make() for _ in range(3)]
    for topic in topics:
        assert all_acked(await own.publisher.publish([a_delivery(topic, 0)]))
    hurt.pause()
    calls = [asyncio.create_task(_told(own, topic)) for topic in topics]
    await asyncio.sleep(0.2)
    calls[0].cancel()
    began = time.monotonic()
    for told in await asyncio.gather(*calls[1:]):
        assert [(receipt.outcome, receipt.code) for receipt in told] == [(Outcome.UNKNOWN, "producer_abandoned")]
    assert time.monotonic() - began < 0.5
    with pytest.raises(asyncio.CancelledError):
        await calls[0]
    assert own.abandoned == ["cancelled"]


async def _told(own: KafkaWorld, topic: str) -> list[Receipt]:
    return list(await own.publisher.publish([a_delivery(topic, 1)]))


async def test_close_is_bounded_while_the_broker_stands_still(own: KafkaWorld, hurt: Broker) -> None:
    topic = await own.make()
    assert all_acked(await own.publisher.publish([a_delivery(topic, 0)]))
    hurt.pause()
    waiting = asyncio.create_task(_told(own, topic))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await own.publisher.close()
    assert time.monotonic() - began < 3.0
    assert outcomes(await waiting) == [Outcome.UNKNOWN]
    assert time.monotonic() - began < 3.0


async def test_a_topic_deleted_under_load_is_healed_by_its_return(own: KafkaWorld) -> None:
    topic = await own.make(3)
    worker, enough = Worker(own, topic), asyncio.Event()
    working = asyncio.create_task(worker.run(enough))
    await asyncio.sleep(0.2)
    await own.topics.delete(topic)
    await asyncio.sleep(1.0)
    await own.topics.create_named(topic, 3)
    worker.answers.clear()
    batches = worker.batches
    while worker.batches < batches + 2:
        await asyncio.wait({working}, timeout=0.05)
        if working.done():
            break
    enough.set()
    await working
    assert "topic_missing" in worker.held
    rows = await rows_of(own.bootstrap_servers, topic)
    assert lost(rows, worker.answers) == []
    assert overtaken(rows, batch_of) == []


# The late append


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, ApacheKafka]]:
    """A port, and a broker that tells clients to come through it."""
    if choose().kind != "apache":
        pytest.skip("needs a broker of this machine, whose address can be told")
    port = free_port()
    config = {"advertised.listeners": f"CLIENT://127.0.0.1:{port}"}
    broker = ApacheKafka.start(tmp_path_factory.mktemp("behind"), config=config)
    yield port, broker
    broker.stop()


@pytest.fixture
async def proxy(behind: tuple[int, ApacheKafka]) -> AsyncIterator[Proxy]:
    """The way through that port."""
    port, broker = behind
    async with Proxy(port, broker.port) as made:
        yield made


async def late_append(proxy: Proxy, world: KafkaWorld) -> list[int]:
    """The log of a partition whose batch 1 is lost on the way, sent again and followed by batch 2, and then arrives."""
    topic = await world.make()
    assert all_acked(await world.publisher.publish([a_delivery(topic, 0)]))
    proxy.hold()
    assert outcomes(await world.publisher.publish([a_delivery(topic, 1)])) == [Outcome.UNKNOWN]
    assert len(world.abandoned) == 1
    proxy.pass_new()
    for number in (1, 2):
        assert all_acked(await world.publisher.publish([a_delivery(topic, number)]))
    assert await proxy.release() > 0
    assert all_acked(await world.publisher.publish([a_delivery(topic, 3)]))
    return [number_of(row) for row in await world.rows(topic)]


def through(proxy: Proxy, world_on: MakeWorld) -> KafkaWorld:
    at = f"127.0.0.1:{proxy.port}"
    return world_on(at, Topics(at), publish_timeout_s=1.5, request_timeout_s=5.0)


async def test_a_late_append_never_comes_behind_what_was_sent_again(proxy: Proxy, world_on: MakeWorld) -> None:
    """I9: the successor writes under the next epoch, and the broker refuses the old one from then on."""
    assert await late_append(proxy, through(proxy, world_on)) == [0, 1, 2, 3]


async def test_without_the_fence_the_late_append_would_come(
    proxy: Proxy, world_on: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail: cutting the connections alone does not stop what is on the wire."""
    monkeypatch.setattr(Identity, "successor", lambda _: None)
    assert await late_append(proxy, through(proxy, world_on)) == [0, 1, 2, 1, 3]
