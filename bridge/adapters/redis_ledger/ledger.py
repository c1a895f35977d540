"""The Ledger port over Redis: one round trip before the publish, one after the acks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from types import TracebackType
from typing import Self

from bridge.adapters.redis_ledger.bound import Bound
from bridge.adapters.redis_ledger.connect import connect
from bridge.adapters.redis_ledger.errors import DENIED, ERROR, FAILURES, READONLY, retry_of, translated
from bridge.adapters.redis_ledger.promises import Finding, findings_of, scripts_denied, unverified
from bridge.adapters.redis_ledger.scripts import MARK, MARKED, Call, lifetimes, ring_of
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.domain.delivery import MARK_KEY_BYTES, MarkKey
from bridge.domain.errors import Retry
from bridge.domain.model import TriggerRef

IS_MARKED = ord("1")
CLOSE_TIMEOUT_S = 5.0
CALLS_KEPT = 512
"""A kilobyte each; which are forgotten costs a few microseconds to make again."""
NOBODY = TriggerRef(project="", dataset="", trigger="")


class RedisLedger:
    """Remembers and answers; that marks come only after acks is its caller's doing (I2).

    Every method raises Retry and nothing else, in bound (D5). A call that timed out leaves no connection behind that
    could read its late answer. After a time-out of `mark` the marks may or may not be there; both are harmless.
    """

    def __init__(self, settings: RedisSettings) -> None:
        """Connects at the first call. Raises ValueError for a bad URL."""
        self._connected = connect(settings)
        self._timeout_s = settings.timeout_s
        self._bound = Bound(settings.timeout_s)
        self._lifetimes = lifetimes(settings.key_ttl_s)
        self._asking = lru_cache(CALLS_KEPT)(lambda trigger: Call(MARKED, ring_of(trigger)))
        self._marking = lru_cache(CALLS_KEPT)(lambda trigger: Call(MARK, ring_of(trigger), self._lifetimes))
        self._in_flight = asyncio.Semaphore(settings.connections_max)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def marked(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> frozenset[MarkKey]:
        """Which of these are marked."""
        if not marks:
            return frozenset()
        found = await self._run(self._asking(trigger), _joined(marks))
        if not isinstance(found, bytes) or len(found) != len(marks):
            raise Retry("Redis did not answer for every mark it was asked for", code=ERROR)
        if IS_MARKED not in found:
            return frozenset()
        return frozenset(mark for mark, answer in zip(marks, found, strict=True) if answer == IS_MARKED)

    async def mark(self, trigger: TriggerRef, marks: Sequence[MarkKey]) -> None:
        """Mark these for `key_ttl_s` at least, and half as long again at most."""
        if marks:
            await self._run(self._marking(trigger), _joined(marks))

    async def ping(self) -> None:
        """Whether it serves; for readiness."""
        async with translated(self._timeout_s):
            await self._connected.command("PING")

    async def findings(self) -> Sequence[Finding]:
        """What of the guarantee this Redis does not keep (D16)."""
        return [*await self._told_by_info(), *await self._told_by_asking()]

    async def _told_by_asking(self) -> Sequence[Finding]:
        """A question for a mark that nobody has; it changes nothing."""
        try:
            await self.marked(NOBODY, [MarkKey(bytes(MARK_KEY_BYTES))])
        except Retry as error:
            if error.code == DENIED:
                return [scripts_denied()]
            raise
        return []

    async def _told_by_info(self) -> Sequence[Finding]:
        try:
            async with translated(self._timeout_s):
                server = await self._connected.infos("server")
                memory = dict(await self._connected.infos("memory"))
                role = dict(await self._connected.infos("replication"))
        except Retry as error:
            if error.code == DENIED:
                return [unverified("Redis")]
            raise
        nodes = [(node, {**info, **memory.get(node, {}), **role.get(node, {})}) for node, info in server]
        return [finding for node, info in nodes for finding in findings_of(node, info)]

    async def close(self) -> None:
        """Bounded; what cannot be closed in time is dropped."""
        async with translated(CLOSE_TIMEOUT_S):
            await self._connected.close()

    async def _run(self, call: Call, marks: bytes) -> object:
        try:
            with self._bound.call():
                async with self._in_flight:
                    return await self._connected.evaluated(call, marks)
        except FAILURES as error:
            told = retry_of(error)
            if told.code == READONLY:
                await self._forget()
            raise told from error

    async def _forget(self) -> None:
        """After a failover behind one name, an old connection would stay with the demoted server for ever."""
        async with translated(self._timeout_s):
            await self._connected.forget()


def _joined(marks: Sequence[MarkKey]) -> bytes:
    """Marks of another length would shift all behind them into other marks."""
    if list(map(len, marks)).count(MARK_KEY_BYTES) != len(marks):
        raise ValueError(f"a mark has {MARK_KEY_BYTES} bytes")
    return b"".join(marks)
