"""Each answer a broker can give, and what is made of it: the receipt, and whether the producer may go on."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bridge.domain.delivery import Outcome
from tests.contract.publisher.conftest import MakeWorld
from tests.contract.publisher.mock_cluster import MockCluster
from tests.contract.publisher.words import a_delivery, all_acked, outcomes

FOREVER = 200
NOT_LEADER, TIMED_OUT, TOO_LARGE = 6, 7, 10
NOT_ENOUGH, NOT_ENOUGH_AFTER_APPEND = 19, 20
TOPIC_AUTHORIZATION, CLUSTER_AUTHORIZATION = 29, 31
OUT_OF_ORDER, STALE_EPOCH = 45, 47
STORAGE, INVALID_RECORD = 56, 87


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster() as made:
        made.make("disputes")
        yield made


@pytest.mark.parametrize("code", [NOT_LEADER, TIMED_OUT, NOT_ENOUGH, NOT_ENOUGH_AFTER_APPEND, STORAGE])
async def test_what_passes_is_waited_for(cluster: MockCluster, world_on: MakeWorld, code: int) -> None:
    world = world_on(cluster.bootstrap_servers)
    cluster.answer_produce_with(code, code)
    assert all_acked(await world.publisher.publish([a_delivery("disputes", 1)]))
    assert world.abandoned == []


@pytest.mark.parametrize(
    ("code", "word", "blocked"),
    [
        (TOO_LARGE, "too_large", False),
        (TOPIC_AUTHORIZATION, "topic_not_authorized", True),
        (CLUSTER_AUTHORIZATION, "not_authorized", True),
        (OUT_OF_ORDER, "sequence_refused", False),
        (STALE_EPOCH, "producer_fenced", False),
    ],
)
async def test_a_clear_refusal_is_failed_and_costs_nobody_else(
    cluster: MockCluster, world_on: MakeWorld, code: int, word: str, *, blocked: bool
) -> None:
    world = world_on(cluster.bootstrap_servers)
    cluster.answer_produce_with(code)
    (receipt,) = await world.publisher.publish([a_delivery("disputes", 1)])
    assert (receipt.outcome, receipt.code, receipt.blocked) == (Outcome.FAILED, word, blocked)
    assert world.abandoned == []
    assert all_acked(await world.publisher.publish([a_delivery("disputes", 1)]))


async def test_an_answer_that_says_nothing_is_unknown(cluster: MockCluster, world_on: MakeWorld) -> None:
    world = world_on(cluster.bootstrap_servers)
    cluster.answer_produce_with(INVALID_RECORD)
    (receipt,) = await world.publisher.publish([a_delivery("disputes", 1)])
    assert (receipt.outcome, receipt.code) == (Outcome.UNKNOWN, "broker_unknown_error")
    assert all_acked(await world.publisher.publish([a_delivery("disputes", 1)]))


async def test_a_refusal_after_a_lost_answer_is_unknown(cluster: MockCluster, world_on: MakeWorld) -> None:
    """The first request may have been written: that the second one is refused proves nothing (I5)."""
    world = world_on(cluster.bootstrap_servers)
    cluster.answer_produce_with(TIMED_OUT, TOPIC_AUTHORIZATION)
    (receipt,) = await world.publisher.publish([a_delivery("disputes", 1)])
    assert (receipt.outcome, receipt.code) == (Outcome.UNKNOWN, "topic_not_authorized")
    assert world.abandoned == ["topic_not_authorized"]
    assert all_acked(await world.publisher.publish([a_delivery("disputes", 1)]))


async def test_too_few_replicas_for_good_is_unknown_in_bound(cluster: MockCluster, world_on: MakeWorld) -> None:
    world = world_on(cluster.bootstrap_servers, publish_timeout_s=1.0)
    cluster.answer_produce_with(*[NOT_ENOUGH] * FOREVER)
    began = time.monotonic()
    (receipt,) = await world.publisher.publish([a_delivery("disputes", 1)])
    assert time.monotonic() - began < 2.0
    assert (receipt.outcome, receipt.code) == (Outcome.UNKNOWN, "not_enough_replicas")
    assert world.abandoned == ["not_enough_replicas"]
    cluster.answer_as_ever()
    assert all_acked(await world.publisher.publish([a_delivery("disputes", 1)]))


async def test_what_is_behind_a_refused_batch_is_not_sent(cluster: MockCluster, world_on: MakeWorld) -> None:
    """I9: three batches of one partition; the second is refused."""
    world = world_on(cluster.bootstrap_servers, compression=None)
    cluster.answer_produce_with(0, TOPIC_AUTHORIZATION)
    deliveries = [a_delivery("disputes", number, size=400_000) for number in range(6)]
    receipts = await world.publisher.publish(deliveries)
    acked, failed = Outcome.ACKED, Outcome.FAILED
    assert outcomes(receipts) == [acked, acked, failed, failed, failed, failed]
    assert [receipt.code for receipt in receipts[2:]] == [*["topic_not_authorized"] * 2, *["not_sent"] * 2]
