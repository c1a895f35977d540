"""A command and its answer over a connection of redis-py's pool, past most of what redis-py does around it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, cast

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError


class _Pool(Protocol):
    """The part of it used here, with types."""

    def get_available_connection(self) -> AbstractConnection: ...
    async def ensure_connection(self, connection: AbstractConnection) -> None: ...
    async def release(self, connection: AbstractConnection) -> None: ...


class Lane:
    """Beyond this execute_command has retries, of which we want none, metrics and hooks that nobody asked for, and a
    timer and a task for each step: a quarter of a call's CPU (tests/bench/README.md).

    Connecting, logging in and finding the primary stay redis-py's.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = cast(_Pool, pool)

    async def ask(self, command: Iterable[bytes]) -> object:
        """The answer to a packed command, in bound of the caller's. Raises what redis-py raises.

        A connection whose answer was not read whole is closed: the next call would read a late one as its own (I7).
        """
        connection = self._pool.get_available_connection()
        try:
            if not await _is_ready(connection):
                await self._pool.ensure_connection(connection)
            await connection.send_packed_command(command, check_health=False)
            answer: object = await connection.read_response()
        except ResponseError:
            raise
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            await self._pool.release(connection)
        return answer


async def _is_ready(connection: AbstractConnection) -> bool:
    """Connected, and there is nothing to be read that nobody asked for, the server's goodbye least of all."""
    try:
        return connection.is_connected and not await connection.can_read()
    except RedisConnectionError:
        return False
