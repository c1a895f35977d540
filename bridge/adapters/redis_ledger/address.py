"""The URL of a Redis, read by ourselves: sentinels and clusters have no common spelling, and options are refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import unquote, urlsplit

REDIS_PORT = 6379
SENTINEL_PORT = 26379
PORT_MAX = 65_535


class Topology(Enum):
    """How the server that takes writes is found."""

    SINGLE = "redis"
    SENTINEL = "redis+sentinel"
    CLUSTER = "redis+cluster"


_NODE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:\[\]@\s]+)(?::(?P<port>\d{1,5}))?")
_SCHEMES = {each.value.replace("redis", word, 1): each for word in ("redis", "rediss") for each in Topology}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """`nodes` are hosts and ports: one of a single server, of every sentinel, or of some nodes of a cluster.

    `service` is the sentinels' name for the primary, empty otherwise.
    """

    topology: Topology
    tls: bool
    nodes: tuple[tuple[str, int], ...]
    service: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def address_of(url: str) -> RedisAddress:
    """Read a Redis URL. Raises ValueError with a sentence for the operator that repeats nothing secret (I10)."""
    scheme, mark, _ = url.partition("://")
    topology = _SCHEMES.get(scheme.lower())
    if not mark or topology is None:
        raise ValueError(f"a Redis URL begins with one of {', '.join(f'{each}://' for each in _SCHEMES)}")
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise ValueError("a Redis URL has no options after '?' or '#': use the settings beside it")
    user, _, hosts = parts.netloc.rpartition("@")
    username, _, password = user.partition(":")
    service, db = _path(topology, [unquote(step) for step in parts.path.strip("/").split("/") if step])
    return RedisAddress(
        topology=topology,
        tls=scheme.lower().startswith("rediss"),
        nodes=_nodes(topology, hosts),
        service=service,
        db=db,
        username=unquote(username) or None,
        password=unquote(password) or None,
    )


def _nodes(topology: Topology, hosts: str) -> tuple[tuple[str, int], ...]:
    default = SENTINEL_PORT if topology is Topology.SENTINEL else REDIS_PORT
    nodes = tuple(_node(text, default) for text in hosts.split(","))
    if topology is Topology.SINGLE and len(nodes) > 1:
        raise ValueError("several Redis hosts need redis+sentinel:// or redis+cluster://")
    return nodes


def _node(text: str, default_port: int) -> tuple[str, int]:
    found = _NODE.fullmatch(text)
    if found is None:
        raise ValueError("a Redis URL needs host or host:port, several joined by commas; IPv6 in brackets")
    port = int(found["port"] or default_port)
    if not 0 < port <= PORT_MAX:
        raise ValueError(f"the port of a Redis URL is 1 to {PORT_MAX}")
    return found["host"].strip("[]"), port


def _path(topology: Topology, steps: list[str]) -> tuple[str, int]:
    """Service name and database."""
    if topology is Topology.SENTINEL:
        if not steps:
            raise ValueError("a sentinel URL names the service: redis+sentinel://host:26379/service/0")
        return steps[0], _db(steps[1:])
    db = _db(steps)
    if topology is Topology.CLUSTER and db:
        raise ValueError("a Redis cluster has database 0 only")
    return "", db


def _db(steps: list[str]) -> int:
    if not steps:
        return 0
    if len(steps) > 1 or not (steps[0].isascii() and steps[0].isdigit()):
        raise ValueError("the path of a Redis URL ends with a database number")
    return int(steps[0])
