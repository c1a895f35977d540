"""Which neighbours this run takes, why, and what was really started."""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tests.neighbours import apache, embedded, redis_server

VARIABLE = "BRIDGE_TEST_NEIGHBOURS"


class Server(Protocol):
    """What every kind of neighbour can do; `real` is true of Apache Kafka and of Redis alone."""

    title: str
    real: bool
    port: int

    @property
    def version(self) -> str: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Broker(Server, Protocol):
    """Something that speaks Kafka's protocol."""

    @property
    def bootstrap_servers(self) -> str: ...


class Ledger(Server, Protocol):
    """Something that speaks Redis's protocol."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The kind taken, and in one line what made it so when it was not asked for."""

    kind: Literal["apache", "embedded", "docker"]
    why: str | None = None

    @property
    def described(self) -> str:
        """One line for a person."""
        return f"{self.kind} ({self.why})" if self.why else self.kind


class CannotChoose(RuntimeError):
    """The kind that was asked for cannot run here."""


@functools.cache
def choose() -> Choice:
    """Reads BRIDGE_TEST_NEIGHBOURS (auto, apache, embedded, docker); asked by name, a kind is never replaced."""
    wanted = os.environ.get(VARIABLE) or "auto"
    match wanted:
        case "auto":
            return _best()
        case "apache":
            return _only("apache", _missing_for_apache())
        case "embedded":
            return _only("embedded", embedded.missing())
        case "docker":
            from tests.neighbours import docker  # testcontainers takes a second to import

            return _only("docker", docker.missing())
        case _:
            raise CannotChoose(f"{VARIABLE}={wanted}: expected auto, apache, embedded or docker")


def _only(kind: Literal["apache", "embedded", "docker"], missing: str | None) -> Choice:
    if missing:
        raise CannotChoose(f"{VARIABLE}={kind}: {missing} is missing")
    return Choice(kind=kind)


def _best() -> Choice:
    missing = _missing_for_apache()
    if missing is None:
        return Choice(kind="apache")
    none = embedded.missing()
    if none:
        raise CannotChoose(f"neither {missing} nor {none} is there")
    return Choice(kind="embedded", why=f"{missing} is missing")


def _missing_for_apache() -> str | None:
    return ", ".join(filter(None, [apache.missing(), redis_server.missing()])) or None


started: list[Server] = []


def start_kafka(data_dir: Path) -> Broker:
    """A broker of the chosen kind; the caller stops it."""
    broker = _kafka(data_dir)
    started.append(broker)
    return broker


def start_redis(data_dir: Path) -> Ledger:
    """A Redis of the chosen kind; the caller stops it."""
    server = _redis(data_dir)
    started.append(server)
    return server


def _kafka(data_dir: Path) -> Broker:
    match choose().kind:
        case "apache":
            return apache.ApacheKafka.start(data_dir)
        case "embedded":
            return embedded.EmbeddedKafka.start(data_dir)
        case "docker":
            from tests.neighbours import docker

            return docker.DockerKafka.start(data_dir)


def _redis(data_dir: Path) -> Ledger:
    match choose().kind:
        case "apache":
            return redis_server.RedisServer.start(data_dir)
        case "embedded":
            return embedded.EmbeddedRedis.start(data_dir)
        case "docker":
            from tests.neighbours import docker

            return docker.DockerRedis.start(data_dir)


def what_ran() -> str:
    """`Apache Kafka 4.x.y, Redis 7.x.y`, or `not started`."""
    return ", ".join(sorted({f"{server.title} {server.version}" for server in started})) or "not started"


def all_real() -> bool:
    """Whether both neighbours ran and each was the real one."""
    titles = {server.title for server in started if server.real}
    return titles == {"Apache Kafka", "Redis"} and all(server.real for server in started)
