"""What may be said of a batch, by how far it came (I1, I5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import errors as foreign
from aiokafka.structs import RecordMetadata, TopicPartition

from bridge.adapters.kafka.batch import PlainContent
from bridge.adapters.kafka.failures import TIMEOUT, failure_of, translated
from bridge.adapters.kafka.parcel import Lane, Parcel
from bridge.domain.delivery import Outcome
from bridge.domain.errors import Blocked, Retry

BASES = (foreign.KafkaError, foreign.BrokerResponseError)
ERRORS = [
    kind
    for kind in vars(foreign).values()
    if isinstance(kind, type) and issubclass(kind, foreign.KafkaError) and kind not in BASES
]


def a_parcel(*, records: int = 1, enqueued: bool = True, attempts: int = 1) -> Parcel:
    lane = Lane("rpa.a", 0, 10_000, None)
    for index in range(records):
        assert lane.add(index, 0, PlainContent(b"k", b"v"))
    (parcel,) = lane.parcels
    parcel.is_enqueued = enqueued
    parcel.batch.attempts = attempts
    return parcel


async def answered(parcel: Parcel, answer: int | BaseException) -> None:
    """The producer's future says that."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.add_done_callback(parcel.answered)
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(RecordMetadata("rpa.a", 0, TopicPartition("rpa.a", 0), answer, 0, 0, 0))
    await asyncio.sleep(0)


async def test_an_ack_is_acked_and_tells_the_offsets() -> None:
    parcel = a_parcel(records=3)
    await answered(parcel, 41)
    assert (parcel.fate[0], parcel.base_offset, parcel.is_loose) == (Outcome.ACKED, 41, False)


async def test_an_ack_of_a_batch_the_broker_knew_already_has_no_offset() -> None:
    parcel = a_parcel()
    await answered(parcel, -1)
    assert (parcel.fate[0], parcel.base_offset) == (Outcome.ACKED, -1)


@pytest.mark.parametrize(
    ("error", "attempts", "outcome", "code", "loose"),
    [
        (foreign.TopicAuthorizationFailedError("t"), 1, Outcome.FAILED, "topic_not_authorized", False),
        (foreign.TopicAuthorizationFailedError("t"), 2, Outcome.UNKNOWN, "topic_not_authorized", True),
        (foreign.MessageSizeTooLargeError(), 1, Outcome.FAILED, "too_large", False),
        (foreign.UnknownError(), 1, Outcome.UNKNOWN, "broker_unknown_error", False),
        (foreign.NotLeaderForPartitionError(), 0, Outcome.FAILED, "no_leader", False),
        (foreign.NotLeaderForPartitionError(), 3, Outcome.UNKNOWN, "no_leader", True),
        (foreign.ProducerClosed(), 1, Outcome.UNKNOWN, "producer_abandoned", True),
        (foreign.KafkaError("the sender died"), 1, Outcome.UNKNOWN, "kafka_error", True),
        (foreign.ProducerFenced(), 1, Outcome.FAILED, "producer_fenced", False),
    ],
)
async def test_an_error_is_judged_by_what_was_sent_before(
    error: BaseException, attempts: int, outcome: Outcome, code: str, *, loose: bool
) -> None:
    parcel = a_parcel(attempts=attempts)
    await answered(parcel, error)
    assert (parcel.fate[0], parcel.fate[1].code, parcel.is_loose) == (outcome, code, loose)


@pytest.mark.parametrize(("attempts", "outcome"), [(0, Outcome.FAILED), (1, Outcome.UNKNOWN), (5, Outcome.UNKNOWN)])
def test_without_an_answer_only_what_was_never_put_into_a_request_is_surely_not_there(
    attempts: int, outcome: Outcome
) -> None:
    parcel = a_parcel(attempts=attempts)
    assert parcel.is_loose
    parcel.close(TIMEOUT)
    assert (parcel.fate[0], parcel.fate[1].code) == (outcome, "timeout")


async def test_an_answer_after_the_end_changes_nothing() -> None:
    """The receipts are out: a batch that was called unknown stays so."""
    for answer in (7, foreign.ProducerClosed()):
        parcel = a_parcel()
        parcel.close(TIMEOUT)
        await answered(parcel, answer)
        assert (parcel.fate[0], parcel.fate[1].code) == (Outcome.UNKNOWN, "timeout")


def test_what_was_never_handed_over_is_not_sent() -> None:
    parcel = a_parcel(enqueued=False, attempts=0)
    parcel.close(TIMEOUT)
    assert (parcel.fate[0], parcel.fate[1].code, parcel.is_loose) == (Outcome.FAILED, "not_sent", False)


async def test_a_batch_of_several_that_is_too_large_condemns_none_of_them() -> None:
    """I8: a record is made a dead letter for `too_large` only when it is."""
    parcel = a_parcel(records=2)
    await answered(parcel, foreign.MessageSizeTooLargeError())
    assert parcel.fate[1].code == "batch_too_large"


def lane_of(parcels: int) -> Lane:
    lane = Lane("rpa.a", 0, 10_000, None)
    for index in range(parcels):
        assert lane.add(index, 0, PlainContent(None, b"v" * 9_000))
    assert len(lane.parcels) == parcels
    return lane


async def test_a_lane_goes_on_only_behind_an_ack() -> None:
    """I9."""
    lane = lane_of(3)
    first = lane.front()
    assert first is lane.parcels[0]
    lane.step()
    assert lane.front() is None
    await answered(lane.parcels[0], 0)
    assert lane.front() is lane.parcels[1]
    lane.step()
    await answered(lane.parcels[1], foreign.MessageSizeTooLargeError())
    assert lane.front() is None


def test_a_record_that_is_too_large_does_not_disturb_its_lane() -> None:
    lane = Lane("rpa.a", 0, 1_000, None)
    sizes = [10, 2_000, 10, 1_001, 10]
    taken = [lane.add(index, 0, PlainContent(None, b"v" * size)) for index, size in enumerate(sizes)]
    assert taken == [True, False, True, False, True]
    assert [parcel.indexes for parcel in lane.parcels] == [[0, 2, 4]]


def made(kind: Callable[..., BaseException]) -> BaseException:
    return kind()


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_of_aiokafka_has_a_stable_word_and_a_kind(kind: type[foreign.KafkaError]) -> None:
    error = made(kind)
    failure = failure_of(error)
    assert failure.code.isidentifier()
    bridge_error = translated(error, "doing")
    assert isinstance(bridge_error, Blocked if failure.blocked else Retry)
    assert (bridge_error.code, str(bridge_error).startswith("doing: ")) == (failure.code, True)


@pytest.mark.parametrize(
    "kind",
    [
        foreign.RequestTimedOutError,
        foreign.NotEnoughReplicasAfterAppendError,
        foreign.KafkaStorageError,
        foreign.UnknownError,
        foreign.KafkaConnectionError,
        foreign.KafkaError,
        TimeoutError,
        ConnectionResetError,
    ],
)
def test_what_may_have_been_written_is_never_called_surely_not(kind: Callable[..., BaseException]) -> None:
    assert not failure_of(made(kind)).before_append
