"""What may go to Redis as a mark."""

from __future__ import annotations

import pytest

from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.adapters.redis_ledger.settings import RedisSettings
from bridge.domain.delivery import MarkKey
from tests.fakes.plans import REF

WHOLE = MarkKey(bytes(16))


@pytest.mark.parametrize("others", [[b"short"], [b"short", b"eleven bytes too long, thus"], [b""]])
async def test_marks_of_another_length_are_refused_before_anything_is_sent(others: list[bytes]) -> None:
    """Two wrong lengths may add up to a right one, and all behind them would be other marks."""
    marks = [WHOLE, *map(MarkKey, others), WHOLE]
    async with RedisLedger(RedisSettings(url="redis://127.0.0.1:1/0", key_ttl_s=60)) as ledger:
        for call in (ledger.marked, ledger.mark):
            with pytest.raises(ValueError, match="16 bytes"):
                await call(REF, marks)
