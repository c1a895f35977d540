"""What Redis and its client raise, as the worker must read it."""

from __future__ import annotations

import asyncio

import pytest
from redis import exceptions as redis

from bridge.adapters.redis_ledger import errors
from bridge.adapters.redis_ledger.errors import code_of, retry_of, translated
from bridge.domain.errors import Retry


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (redis.ConnectionError("Error 111 connecting"), errors.UNAVAILABLE),
        (redis.BusyLoadingError("Redis is loading the dataset in memory"), errors.UNAVAILABLE),
        (redis.MaxConnectionsError("Too many connections"), errors.UNAVAILABLE),
        (redis.RedisClusterException("Redis Cluster cannot be connected"), errors.UNAVAILABLE),
        (redis.ClusterDownError("The cluster is down"), errors.UNAVAILABLE),
        (redis.ResponseError("BUSY Redis is busy running a script"), errors.UNAVAILABLE),
        (ConnectionRefusedError(), errors.UNAVAILABLE),
        (redis.TimeoutError("Timeout reading from redis:6379"), errors.TIMEOUT),
        (TimeoutError(), errors.TIMEOUT),
        (redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), errors.FULL),
        (redis.ResponseError("Error running script (call to f_1): @user_script:9: -OOM command not"), errors.FULL),
        (redis.ReadOnlyError("You can't write against a read only replica."), errors.READONLY),
        (redis.ResponseError("Error running script (call to f_1): @user_script:9: -READONLY You"), errors.READONLY),
        (redis.ResponseError("MISCONF Errors writing to the AOF file"), errors.READONLY),
        (redis.ResponseError("NOREPLICAS Not enough good replicas to write."), errors.READONLY),
        (redis.AuthenticationError("invalid username-password pair"), errors.DENIED),
        (redis.NoPermissionError("this user has no permissions"), errors.DENIED),
        (redis.ResponseError("NOPERM this user has no permissions"), errors.DENIED),
        (redis.ResponseError("WRONGTYPE Operation against a key"), errors.ERROR),
        (redis.InvalidResponse("Protocol error"), errors.ERROR),
    ],
)
def test_each_failure_has_its_code(error: Exception, code: str) -> None:
    assert code_of(error) == code


def test_what_the_server_repeats_of_our_arguments_is_in_no_message() -> None:
    """I10."""
    said = retry_of(redis.ResponseError("unknown command 'AUTH', with args beginning with: 'me' 's3cret'"))
    assert "s3cret" not in str(said)


async def test_what_lasts_too_long_is_a_retry_in_bound() -> None:
    with pytest.raises(Retry) as raised:
        async with translated(0.001):
            await asyncio.get_running_loop().create_future()
    assert raised.value.code == "ledger_timeout"


async def test_a_cancelled_call_stays_cancelled() -> None:
    async def call() -> None:
        async with translated(60):
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_mistake_of_ours_is_not_dressed_up_as_an_outage() -> None:
    with pytest.raises(KeyError):
        async with translated(60):
            raise KeyError("ours")
