"""What Redis promises less than the marks need (D16)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.adapters.redis_ledger.connect import Info

VERSION_MIN = (6, 2)
"""SMISMEMBER came with 6.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A promise that is not kept. `accepted_by` is the word of `accept:` that lets it pass, empty where none does."""

    code: str
    sentence: str
    accepted_by: str = ""


def findings_of(node: str, info: Info) -> Iterator[Finding]:
    """Judge one node that takes writes by its INFO.

    Not a finding: asynchronous replicas and no disk. A failover or a restart can lose the last marks, which loses no
    result and is a named cause of a duplicate (I5, D18).
    """
    version = _version(info)
    if version < VERSION_MIN:
        yield Finding(
            code="redis_too_old",
            sentence=f"{node} is version {'.'.join(map(str, version))}: the marks need {_text(VERSION_MIN)} or newer",
        )
    if info.get("role") == "slave":
        yield Finding(
            code="redis_is_replica",
            sentence=f"{node} is a replica and takes no marks: name the primary, or use redis+sentinel://",
        )
    policy, maxmemory = info.get("maxmemory_policy", "noeviction"), info.get("maxmemory", 0)
    if policy != "noeviction" and maxmemory:
        yield Finding(
            code="evicting_policy",
            sentence=(
                f"{node} throws keys away when its memory is full (maxmemory-policy {policy}), marks among them, "
                "and results would be sent twice: set maxmemory-policy noeviction"
            ),
            accepted_by="evicting_redis",
        )


def scripts_denied() -> Finding:
    """The one finding of a server whose user may not do what marking takes."""
    return Finding(
        code="ledger_denied",
        sentence=(
            "Redis refuses this user what marks need: allow +eval +evalsha +exists +smismember +sadd +pttl +pexpire"
            " +unlink +time on the keys bridge:*"
        ),
    )


def unverified(node: str) -> Finding:
    """The one finding of a server that does not let us ask."""
    return Finding(
        code="redis_unverified",
        sentence=f"{node} does not let this user run INFO, so nothing is known of its eviction policy: allow +info",
        accepted_by="unverified_redis",
    )


def _version(info: Info) -> tuple[int, ...]:
    return tuple(int(part) for part in str(info.get("redis_version", "0")).split(".")[:3] if part.isdigit())


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
