"""One client for every topology, without retries, options from a URL or chatter of its own."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import NoScriptError
from typing_extensions import override

from bridge.adapters.redis_ledger.address import RedisAddress, Topology, address_of
from bridge.adapters.redis_ledger.lane import Lane
from bridge.adapters.redis_ledger.scripts import Call
from bridge.adapters.redis_ledger.settings import RedisSettings

SPARE_CONNECTIONS = 100
"""For PING and INFO, which wait for none to be free."""

Argument = bytes | str | int
Info = Mapping[str, object]


class Connected(ABC):
    """A Redis, however it is found. What its methods raise is redis-py's."""

    @abstractmethod
    async def command(self, *args: Argument) -> object:
        """Send one command to the node its keys are on."""

    async def evaluated(self, call: Call, last: bytes) -> object:
        """Run a script by its name, or by its text where the server lost it (a restart, a flush), which teaches it
        again. In bound of the caller's."""
        try:
            return await self._by_name(call, last)
        except NoScriptError:
            return await self.command(*call.words("EVAL", call.script.text), last)

    async def _by_name(self, call: Call, last: bytes) -> object:
        return await self.command(*call.words("EVALSHA", call.script.sha), last)

    @abstractmethod
    async def infos(self, section: str) -> Sequence[tuple[str, Info]]:
        """INFO of every node that takes writes, under the node's name."""

    @abstractmethod
    async def forget(self) -> None:
        """Close idle connections, so that the next one goes where the name points now."""

    @abstractmethod
    async def close(self) -> None:
        """Close everything."""


def connect(settings: RedisSettings) -> Connected:
    """Opens nothing yet: connections are made when they are needed. Raises ValueError for a bad URL."""
    address = address_of(settings.url)
    match address.topology:
        case Topology.SINGLE:
            return _Single(_single(settings, address))
        case Topology.SENTINEL:
            return _Sentinel(settings, address)
        case Topology.CLUSTER:
            return _Cluster(settings, address)


class _Raw(Protocol):
    """The part of redis-py used here, with types."""

    async def execute_command(self, *args: Argument, **options: object) -> object: ...


class _Single(Connected):
    def __init__(self, client: Redis) -> None:
        self._client = client
        self._raw = cast(_Raw, client)
        self._lane = Lane(client.connection_pool)

    @override
    async def command(self, *args: Argument) -> object:
        return await self._raw.execute_command(*args)

    @override
    async def _by_name(self, call: Call, last: bytes) -> object:
        return await self._lane.ask(call.packed(last))

    @override
    async def infos(self, section: str) -> Sequence[tuple[str, Info]]:
        return [("Redis", cast(Info, await self.command("INFO", section)))]

    @override
    async def forget(self) -> None:
        await self._client.connection_pool.disconnect(inuse_connections=False)

    @override
    async def close(self) -> None:
        await self._client.aclose()


class _Sentinel(_Single):
    def __init__(self, settings: RedisSettings, address: RedisAddress) -> None:
        asking = _common(settings, address) | {
            "username": settings.sentinel_username,
            "password": settings.sentinel_password,
        }
        self._sentinel = cast(Callable[..., Any], Sentinel)(address.nodes, sentinel_kwargs=asking)
        super().__init__(self._sentinel.master_for(address.service, **_server(settings, address)))

    @override
    async def close(self) -> None:
        await super().close()
        for each in self._sentinel.sentinels:
            await each.aclose()


class _Cluster(Connected):
    def __init__(self, settings: RedisSettings, address: RedisAddress) -> None:
        self._client = RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in address.nodes],
            max_connections=settings.connections_max + 1,
            **_common(settings, address),
            **_credentials(settings, address),
        )
        self._raw = cast(_Raw, self._client)

    @override
    async def command(self, *args: Argument) -> object:
        return await self._raw.execute_command(*args)

    @override
    async def infos(self, section: str) -> Sequence[tuple[str, Info]]:
        nodes = (await self._client.initialize()).get_primaries()
        answers = [await self._raw.execute_command("INFO", section, target_nodes=node) for node in nodes]
        return [(node.name, cast(Info, answer)) for node, answer in zip(nodes, answers, strict=True)]

    @override
    async def forget(self) -> None:
        await self._client.aclose()

    @override
    async def close(self) -> None:
        await self._client.aclose()


def _single(settings: RedisSettings, address: RedisAddress) -> Redis:
    host, port = address.nodes[0]
    return Redis(host=host, port=port, **_server(settings, address))


def _server(settings: RedisSettings, address: RedisAddress) -> dict[str, Any]:
    """The one server that takes the marks. Who calls bounds the whole of a call: no timer for each of its steps."""
    own = {"db": address.db, "socket_timeout": None, "max_connections": settings.connections_max + SPARE_CONNECTIONS}
    return _common(settings, address) | _credentials(settings, address) | own


def _common(settings: RedisSettings, address: RedisAddress) -> dict[str, Any]:
    """What holds for every connection, sentinels included. Retries belong to the cycle (D8), none are made here."""
    common: dict[str, Any] = {
        "socket_timeout": settings.timeout_s,
        "socket_connect_timeout": settings.connect_timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "client_name": "bridge",
        "driver_info": None,
        "health_check_interval": 0,
        "decode_responses": False,
    }
    return common | _tls(settings) if address.tls else common


def _tls(settings: RedisSettings) -> dict[str, Any]:
    return {
        "ssl": True,
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": settings.ssl_check_hostname,
        "ssl_ca_certs": settings.ssl_cafile,
        "ssl_certfile": settings.ssl_certfile,
        "ssl_keyfile": settings.ssl_keyfile,
        "ssl_password": settings.ssl_password,
    }


def _credentials(settings: RedisSettings, address: RedisAddress) -> dict[str, Any]:
    username = settings.username or address.username
    if settings.password_file is not None:
        return {"credential_provider": PasswordFile(username, settings.password_file)}
    return {"username": username, "password": settings.password or address.password}


class PasswordFile(CredentialProvider):
    """Reads the password at each new connection, so that a changed one needs no restart."""

    def __init__(self, username: str | None, path: Path) -> None:
        self._username = username
        self._path = path

    @override
    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        password = self._path.read_text(encoding="utf-8").strip()
        return (self._username, password) if self._username else (password,)

    @override
    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        return await asyncio.to_thread(self.get_credentials)
