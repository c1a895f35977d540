"""The one place where aiokafka's errors become ours (house rule: translated at the adapter, once)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

from aiokafka import errors as foreign

from bridge.domain.errors import Blocked, BridgeError, Retry

FOREIGN: tuple[type[BaseException], ...] = (foreign.KafkaError, OSError)
"""All that aiokafka raises when the broker or the way to it is at fault; a time-out is an OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What an error means for the records it was raised for.

    `before_append`: a broker that answers so has not written them. `blocked`: only a change outside helps.
    """

    code: str
    before_append: bool = False
    blocked: bool = False


TOO_LARGE = Failure(code="too_large", before_append=True)
NOT_SENT = Failure(code="not_sent", before_append=True)
TIMEOUT = Failure(code="timeout")

_TOPIC_MISSING = Failure(code="topic_missing", before_append=True)
_NOT_ALLOWED = Failure(code="not_authorized", before_append=True, blocked=True)
_NO_ACCESS = Failure(code="authentication_failed", before_append=True, blocked=True)
_REFUSED = Failure(code="record_refused", before_append=True)
_FENCED = Failure(code="producer_fenced", before_append=True)
_UNAVAILABLE = Failure(code="broker_unavailable")

_MEANINGS: dict[type[Any], Failure] = {
    foreign.MessageSizeTooLargeError: TOO_LARGE,
    foreign.RecordListTooLargeError: TOO_LARGE,
    foreign.TopicAuthorizationFailedError: Failure(code="topic_not_authorized", before_append=True, blocked=True),
    foreign.ClusterAuthorizationFailedError: _NOT_ALLOWED,
    foreign.UnknownTopicOrPartitionError: _TOPIC_MISSING,
    foreign.InvalidTopicError: Failure(code="topic_missing", before_append=True, blocked=True),
    foreign.SaslAuthenticationFailed: _NO_ACCESS,
    foreign.AuthenticationFailedError: _NO_ACCESS,
    foreign.AuthenticationMethodNotSupported: _NO_ACCESS,
    foreign.UnsupportedSaslMechanismError: _NO_ACCESS,
    foreign.IllegalSaslStateError: _NO_ACCESS,
    foreign.InvalidTimestampError: _REFUSED,
    foreign.CorruptRecordException: _REFUSED,
    foreign.InvalidRequiredAcksError: _REFUSED,
    foreign.PolicyViolationError: _REFUSED,
    foreign.UnsupportedForMessageFormatError: _REFUSED,
    # Sequence numbers and epochs are judged before the append; aiokafka calls a stale epoch fenced.
    foreign.OutOfOrderSequenceNumber: Failure(code="sequence_refused", before_append=True),
    foreign.ProducerFenced: _FENCED,
    foreign.UnknownProducerId: _FENCED,
    foreign.InvalidProducerIdMapping: _FENCED,
    foreign.OperationNotAttempted: NOT_SENT,
    foreign.InvalidTxnState: Failure(code="transaction_state", before_append=True),
    foreign.GroupAuthorizationFailedError: Failure(code="group_not_authorized", before_append=True, blocked=True),
    foreign.InvalidSessionTimeoutError: Failure(code="session_timeout_refused", before_append=True, blocked=True),
    foreign.InvalidTransactionTimeout: Failure(code="transaction_timeout_refused", before_append=True, blocked=True),
    foreign.TransactionalIdAuthorizationFailed: _NOT_ALLOWED,
    foreign.NotEnoughReplicasError: Failure(code="not_enough_replicas", before_append=True),
    # The leader has these records and may keep them, or lose them with its leadership.
    foreign.NotEnoughReplicasAfterAppendError: Failure(code="not_enough_replicas"),
    foreign.NotLeaderForPartitionError: Failure(code="no_leader"),
    foreign.LeaderNotAvailableError: Failure(code="no_leader"),
    foreign.RequestTimedOutError: TIMEOUT,
    foreign.KafkaTimeoutError: TIMEOUT,
    foreign.KafkaStorageError: Failure(code="broker_storage"),
    foreign.ProducerClosed: Failure(code="producer_abandoned"),
    foreign.KafkaConnectionError: _UNAVAILABLE,
    foreign.NodeNotReadyError: _UNAVAILABLE,
    foreign.NoBrokersAvailable: _UNAVAILABLE,
    foreign.KafkaUnavailableError: _UNAVAILABLE,
    foreign.StaleMetadata: _UNAVAILABLE,
    foreign.MetadataEmptyBrokerList: _UNAVAILABLE,
    foreign.UnknownError: Failure(code="broker_unknown_error"),
    foreign.InvalidReplicationFactorError: Failure(code="too_few_brokers", before_append=True, blocked=True),
    TimeoutError: TIMEOUT,
    ssl.SSLError: Failure(code="tls_failed", before_append=True, blocked=True),
    OSError: _UNAVAILABLE,
}


def failure_of(error: BaseException) -> Failure:
    """What the error means; one that is not in the table is of unknown outcome."""
    for kind in type(error).__mro__:
        if kind in _MEANINGS:
            return _MEANINGS[kind]
    return Failure(code="kafka_error")


def failure_of_code(error_code: int) -> Failure:
    """The same for the number in a broker's answer."""
    return failure_of(foreign.for_code(error_code)())


def is_answer(error: BaseException) -> bool:
    """The broker itself said so and has no such request in hand any more, whatever it did with the records."""
    return isinstance(error, foreign.BrokerResponseError | foreign.ProducerFenced) and not error.retriable


def translated(error: BaseException, doing: str) -> BridgeError:
    """The error for the worker; `doing` says what failed, and never holds message text.

    The foreign error's own text stays in the cause: nobody says what a broker or a library puts into it (I10).
    """
    failure = failure_of(error)
    kind = Blocked if failure.blocked else Retry
    return kind(f"{doing}: {failure.code} ({type(error).__name__})", code=failure.code)


def failed(error_code: int, doing: str) -> BridgeError:
    """The same for the number in a broker's answer."""
    return translated(foreign.for_code(error_code)(), doing)
