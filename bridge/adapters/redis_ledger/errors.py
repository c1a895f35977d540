"""Every failure of Redis, translated in one place: the ledger is out, the worker holds and comes again (D5)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from bridge.domain.errors import Retry

UNAVAILABLE = "ledger_unavailable"
TIMEOUT = "ledger_timeout"
FULL = "ledger_full"
READONLY = "ledger_readonly"
DENIED = "ledger_denied"
ERROR = "ledger_error"

_SENTENCES = {
    UNAVAILABLE: "Redis cannot be reached or does not serve yet",
    TIMEOUT: "Redis did not answer in time",
    FULL: "Redis is out of memory and takes no more marks: raise maxmemory or lower key_ttl",
    READONLY: "Redis takes no writes: a replica, a disk it cannot save to, or too few replicas",
    DENIED: "Redis refused our user, password or a command: check the credentials and the ACL",
    ERROR: "Redis answered with an error",
}

_BY_CLASS: tuple[tuple[type[BaseException], str], ...] = (
    (AuthenticationError, DENIED),
    (AuthorizationError, DENIED),
    (NoPermissionError, DENIED),
    (OutOfMemoryError, FULL),
    (ReadOnlyError, READONLY),
    (RedisTimeoutError, TIMEOUT),
    (TimeoutError, TIMEOUT),
    (RedisConnectionError, UNAVAILABLE),
    (OSError, UNAVAILABLE),
    (ClusterError, UNAVAILABLE),
    (RedisClusterException, UNAVAILABLE),
    (TryAgainError, UNAVAILABLE),
)

# Old servers wrap the error of a command inside a script into a text of their own, and some words have no class.
_BY_WORD = {
    "OOM": FULL,
    "READONLY": READONLY,
    "MISCONF": READONLY,
    "NOREPLICAS": READONLY,
    "NOPERM": DENIED,
    "NOAUTH": DENIED,
    "BUSY": UNAVAILABLE,
    "LOADING": UNAVAILABLE,
    "MASTERDOWN": UNAVAILABLE,
    "CLUSTERDOWN": UNAVAILABLE,
}
_WORD = re.compile(rf"\b({'|'.join(_BY_WORD)})\b")


FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What Redis, its client and a bound raise."""


@asynccontextmanager
async def translated(timeout_s: float) -> AsyncIterator[None]:
    """Bounds what is awaited inside and raises Retry for whatever fails there."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except FAILURES as error:
        raise retry_of(error) from error


def retry_of(error: BaseException) -> Retry:
    """The server's own text stays in the cause: it can repeat arguments, a password among them (I10)."""
    code = code_of(error)
    return Retry(f"{_SENTENCES[code]} ({type(error).__name__})", code=code)


def code_of(error: BaseException) -> str:
    """The stable word for a failure."""
    found = _WORD.search(str(error)) if isinstance(error, ResponseError) else None
    if found is not None:
        return _BY_WORD[found[1]]
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), ERROR)
