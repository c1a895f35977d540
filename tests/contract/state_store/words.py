"""Standings for the tests of the state store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bridge.domain.model import Generation, TriggerName
from bridge.domain.standing import Pause, Reset, ResetPhase, Standing

DISPUTES, FEES = TriggerName("disputes"), TriggerName("fees")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def a_reset(number: int, phase: ResetPhase = ResetPhase.REPLAYING) -> Reset:
    """The reset of that number."""
    return Reset(
        id=f"reset-{number}",
        to_comment_created_at=NOON - timedelta(days=number),
        requested_at=NOON,
        requested_by="alice",
        reason="a rule was wrong",
        phase=phase,
        generation=Generation(number),
        replay_until=NOON,
        replayed=number * 100,
    )


PAUSED = Standing(pause=Pause(by="bob", at=NOON, reason="release"))
REPLAYED = Standing(
    generation=Generation(2),
    generation_reset_id="reset-2",
    resets=(a_reset(1, ResetPhase.DONE), a_reset(2)),
)
