"""The Source port over the platform's HTTP API."""

from __future__ import annotations

from datetime import datetime

from typing_extensions import override

from bridge.adapters.platform.client import PlatformClient
from bridge.domain.errors import Blocked, Retry
from bridge.domain.model import Batch, SequenceId, TriggerRef
from bridge.domain.settle import Settled
from bridge.ports import Source

_TOO_MUCH = frozenset({"too_large", "timeout"})


class PlatformSource(Source):
    """Fetches, advances and resets.

    A page that was too large or too slow to come is asked for at half its size the next time, down to one result,
    and grows again with each that comes: a run of huge mails must not hold its trigger for ever (I8).
    """

    def __init__(self, client: PlatformClient) -> None:
        self._client = client
        self._size_max: dict[TriggerRef, int] = {}

    @override
    async def fetch(self, trigger: TriggerRef, size: int) -> Batch:
        asked = min(size, self._size_max.get(trigger, size))
        try:
            batch = await self._client.fetch(trigger, asked)
        except Retry as error:
            if error.code in _TOO_MUCH:
                self._size_max[trigger] = max(1, asked // 2)
            if error.code == "too_large" and asked == 1:
                raise Blocked(
                    "the next result alone is larger than response_bytes_max of the platform's settings",
                    code="too_large",
                ) from error
            raise
        if trigger in self._size_max:
            self._size_max[trigger] = asked * 2
            if asked * 2 >= size:
                del self._size_max[trigger]
        return batch

    @override
    async def advance(self, trigger: TriggerRef, settled: Settled) -> None:
        """Always to the batch's own position, which can lie past its last result (D7, trap 21)."""
        echoed = await self._client.advance(trigger, settled.sequence_id)
        if echoed is not None and echoed != settled.sequence_id:
            raise Retry("advance: the platform answered with another position", code="advance_not_echoed")

    @override
    async def reset(self, trigger: TriggerRef, to_comment_created_at: datetime) -> SequenceId:
        return await self._client.reset(trigger, to_comment_created_at)
