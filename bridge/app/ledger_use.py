"""Whether the running configuration needs Redis at all: triggers with `delivery: exactly_once` never ask it (D5)."""

from __future__ import annotations

from collections.abc import Iterable

from bridge.adapters.redis_ledger.ledger import RedisLedger
from bridge.domain.plan import DeliveryMode, TriggerPlan

NOT_NEEDED = "not_needed"


class LedgerUse:
    """Follows the configuration as it is reloaded."""

    def __init__(self, ledger: RedisLedger, plans: Iterable[TriggerPlan]) -> None:
        self.ledger = ledger
        self.is_needed = False
        self.follow(plans)

    def follow(self, plans: Iterable[TriggerPlan]) -> None:
        """These triggers are to run from now on."""
        self.is_needed = any(plan.delivery is not DeliveryMode.EXACTLY_ONCE for plan in plans)

    async def ping(self) -> str | None:
        """For readiness: a Redis that nobody needs makes nothing unready by being gone."""
        if not self.is_needed:
            return NOT_NEEDED
        await self.ledger.ping()
        return None
