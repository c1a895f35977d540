"""What only a broker can show: the topic itself, its rights and its losses, and an answer that does not come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from bridge.adapters.kafka.settings import TopicCreation
from bridge.adapters.kafka.state_topic import KafkaStateStore, state_topic
from bridge.domain.errors import Blocked, Fatal, Retry
from bridge.domain.model import Generation, TriggerName
from bridge.domain.standing import Standing
from tests.contract.publisher.words import rows_of
from tests.contract.state_store.conftest import MakeStore
from tests.contract.state_store.words import DISPUTES, FEES, PAUSED, REPLAYED
from tests.neighbours.choice import Broker, start_kafka
from tests.neighbours.topics import Topics


async def configs_of(bootstrap_servers: str, topic: str) -> dict[str, str]:
    """A topic's settings."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def test_the_topic_is_made_compacted_with_one_partition(
    kafka: Broker, store_on: MakeStore, deployment: str
) -> None:
    await store_on(kafka.bootstrap_servers, deployment).load()
    configs = await configs_of(kafka.bootstrap_servers, state_topic(deployment))
    assert configs["cleanup.policy"] == "compact"


async def test_only_what_changed_is_written_and_in_one_batch(
    kafka: Broker, store_on: MakeStore, deployment: str
) -> None:
    store = store_on(kafka.bootstrap_servers, deployment)
    await store.save(DISPUTES, REPLAYED)
    await store.save(DISPUTES, Standing(generation=REPLAYED.generation, generation_reset_id="reset-2"))
    await store.save(DISPUTES, Standing(generation=Generation(3), generation_reset_id="reset-3"))
    keys = [row.key for row in await rows_of(kafka.bootstrap_servers, state_topic(deployment))]
    assert keys == [b"disputes/wish", b"disputes/generation", b"disputes/wish", b"disputes/generation"]


async def test_a_topic_that_is_not_compacted_blocks_until_it_is(
    kafka: Broker, store_on: MakeStore, topics: Topics, deployment: str
) -> None:
    await topics.create_named(state_topic(deployment), config={"cleanup.policy": "delete"})
    store = store_on(kafka.bootstrap_servers, deployment)
    for act in (store.load(), store.save(DISPUTES, PAUSED)):
        with pytest.raises(Blocked, match=r"cleanup\.policy=delete") as blocked:
            await act
        assert blocked.value.code == "state_topic_not_compacted"


async def test_a_topic_of_several_partitions_blocks(
    kafka: Broker, store_on: MakeStore, topics: Topics, deployment: str
) -> None:
    await topics.create_named(state_topic(deployment), 3, {"cleanup.policy": "compact"})
    with pytest.raises(Blocked, match="exactly one"):
        await store_on(kafka.bootstrap_servers, deployment).load()


@pytest.mark.kafka_apache
async def test_one_copy_is_refused_with_a_sentence_unless_it_was_accepted(
    kafka: Broker, store_on: MakeStore, deployment: str
) -> None:
    """D16."""
    three = TopicCreation(replication_factor=3)
    with pytest.raises(Blocked, match=r"accept: \[single_replica\]") as blocked:
        await store_on(kafka.bootstrap_servers, deployment, topics=three).load()
    assert blocked.value.code == "too_few_brokers"
    accepting = store_on(kafka.bootstrap_servers, deployment, topics=three, accept=frozenset({"single_replica"}))
    assert await accepting.load() == {}


async def test_a_record_of_ours_that_cannot_be_read_is_fatal(
    kafka: Broker, store_on: MakeStore, deployment: str
) -> None:
    """D18: going on could forget a pause."""
    store = store_on(kafka.bootstrap_servers, deployment)
    await store.load()
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(state_topic(deployment), b"{", key=b"disputes/wish")
    with pytest.raises(Fatal, match="disputes/wish") as fatal:
        await store.load()
    assert fatal.value.code == "state_unreadable"


@pytest.mark.kafka_apache
async def test_a_transaction_that_was_aborted_is_not_there_and_hides_nothing(
    kafka: Broker, store_on: MakeStore, deployment: str
) -> None:
    """D3: position records will share this topic, in transactions; the reader must come past their markers."""
    store = store_on(kafka.bootstrap_servers, deployment)
    await store.save(DISPUTES, PAUSED)
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id=deployment) as producer:
        for commits in (True, False, True, False):
            await producer.begin_transaction()
            await producer.send_and_wait(state_topic(deployment), b"%d" % commits, key=b"disputes/position")
            await (producer.commit_transaction() if commits else producer.abort_transaction())
        await store.save(FEES, REPLAYED)
        await producer.begin_transaction()
        await producer.send_and_wait(state_topic(deployment), b"0", key=b"disputes/position")
        await producer.abort_transaction()
    began = time.monotonic()
    assert await store_on(kafka.bootstrap_servers, deployment).load() == {DISPUTES: PAUSED, FEES: REPLAYED}
    assert time.monotonic() - began < 5.0


@pytest.mark.kafka_apache
async def test_a_topic_deleted_under_us_is_made_again_with_all_that_is_known(
    kafka: Broker, store_on: MakeStore, topics: Topics, deployment: str
) -> None:
    store = store_on(kafka.bootstrap_servers, deployment)
    await store.save(DISPUTES, PAUSED)
    await store.save(FEES, REPLAYED)
    await topics.delete(state_topic(deployment))
    changed = Standing(generation=Generation(7))
    with pytest.raises(Retry):
        await store.save(FEES, changed)
    await store.save(FEES, changed)
    assert await store_on(kafka.bootstrap_servers, deployment).load() == {DISPUTES: PAUSED, FEES: changed}


@pytest.mark.kafka_apache
async def test_a_topic_that_somebody_else_made_again_gets_what_only_we_know(
    kafka: Broker, store_on: MakeStore, topics: Topics, deployment: str
) -> None:
    """D18: what is saved again counts as there by what the old topic held."""
    ours, theirs = store_on(kafka.bootstrap_servers, deployment), store_on(kafka.bootstrap_servers, deployment)
    await theirs.load()
    for standing in (Standing(), PAUSED, REPLAYED, PAUSED):
        await ours.save(DISPUTES, standing)
    await topics.delete(state_topic(deployment))
    changed = Standing(generation=Generation(7))
    await healed(theirs, changed, name=FEES)
    await ours.check(anew=True)
    await ours.save(DISPUTES, PAUSED)
    assert await store_on(kafka.bootstrap_servers, deployment).load() == {DISPUTES: PAUSED, FEES: changed}
    await ours.save(FEES, Standing())
    assert await theirs.load() == {DISPUTES: PAUSED, FEES: Standing()}


@pytest.mark.kafka_apache
async def test_an_offset_that_goes_back_says_that_the_topic_is_another(
    kafka: Broker, store_on: MakeStore, topics: Topics, deployment: str
) -> None:
    """It was made again between two saves, and nothing failed."""
    store = store_on(kafka.bootstrap_servers, deployment)
    for standing in (Standing(), PAUSED, REPLAYED, PAUSED):
        await store.save(DISPUTES, standing)
    await topics.delete(state_topic(deployment))
    await healed(store_on(kafka.bootstrap_servers, deployment), REPLAYED, name=FEES)
    await healed(store, PAUSED, name=FEES)
    assert await store_on(kafka.bootstrap_servers, deployment).load() == {DISPUTES: PAUSED, FEES: PAUSED}


async def test_no_broker_is_retry_and_quick(store_on: MakeStore, deployment: str) -> None:
    store = store_on("127.0.0.1:1", deployment)
    began = time.monotonic()
    for act in (store.load(), store.save(DISPUTES, PAUSED)):
        with pytest.raises(Retry) as refused:
            await act
        assert refused.value.code == "broker_unavailable"
    assert time.monotonic() - began < 3.0


@pytest.fixture(scope="module")
def hurt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that may be hurt; each test leaves it running."""
    broker = start_kafka(tmp_path_factory.mktemp("hurt"))
    yield broker
    broker.stop()


async def healed(
    store: KafkaStateStore, standing: Standing, within_s: float = 20.0, name: TriggerName = DISPUTES
) -> None:
    """Save as the service does, again after each Retry: a broker back from a stand-still is fenced for a moment."""
    end_s = time.monotonic() + within_s
    while True:
        try:
            return await store.save(name, standing)
        except Retry:
            if time.monotonic() > end_s:
                raise
            await asyncio.sleep(0.1)


@pytest.mark.kafka_apache
async def test_a_broker_that_stands_still_is_retry_in_bound_and_healed(
    hurt: Broker, store_on: MakeStore, deployment: str
) -> None:
    store = store_on(hurt.bootstrap_servers, deployment, publish_timeout_s=2.0, request_timeout_s=0.7)
    await store.save(DISPUTES, PAUSED)
    hurt.pause()
    try:
        began = time.monotonic()
        for act in (store.save(DISPUTES, REPLAYED), store.load()):
            with pytest.raises(Retry):
                await act
        assert time.monotonic() - began < 8.0
    finally:
        hurt.resume()
    await healed(store, REPLAYED)
    assert await store.load() == {DISPUTES: REPLAYED}


@pytest.mark.kafka_apache
async def test_what_was_saved_survives_the_death_of_the_broker(
    hurt: Broker, store_on: MakeStore, deployment: str
) -> None:
    store = store_on(hurt.bootstrap_servers, deployment, publish_timeout_s=2.0, request_timeout_s=0.7)
    await store.save(DISPUTES, PAUSED)
    await asyncio.to_thread(hurt.kill)
    with pytest.raises(Retry):
        await store.save(DISPUTES, REPLAYED)
    await asyncio.to_thread(hurt.restart)
    assert await store_on(hurt.bootstrap_servers, deployment).load() == {DISPUTES: PAUSED}
    await store.save(DISPUTES, REPLAYED)
    assert await store_on(hurt.bootstrap_servers, deployment).load() == {DISPUTES: REPLAYED}
