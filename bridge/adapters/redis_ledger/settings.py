"""What is configurable about Redis."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Secrets, and the URL that may hold one, are in no representation of it (I10).

    `url` is one of
      redis://[user:password@]host[:port][/db]                            one server, or a service name before it
      redis+sentinel://host[:port],host[:port]/service[/db]               the primary that the sentinels name
      redis+cluster://[user:password@]host[:port],host[:port]             a cluster; every listed node is a way in
    and `rediss://`, `rediss+sentinel://`, `rediss+cluster://` for the same over TLS (verified, D20). Options after a
    `?` are refused, so that no URL can switch a check off. User and password of a sentinel URL are those of the
    primary; the sentinels have their own below.

    `password_file` is read at each new connection, so a changed password needs no restart; it wins over `password`,
    and both over the URL. `key_ttl_s` must exceed the longest outage plus the time to catch up: what is older is sent
    again, never lost. `timeout_s` bounds one whole round trip, waiting for a free connection included.
    """

    url: str = field(repr=False)
    key_ttl_s: float = 86_400.0
    connect_timeout_s: float = 2.0
    timeout_s: float = 5.0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_password: str | None = field(default=None, repr=False)
    ssl_check_hostname: bool = True
    connections_max: int = 16
