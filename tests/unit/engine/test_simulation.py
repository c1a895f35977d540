"""Hundreds of bad days, drawn by seed: whatever fails, dies or is asked for, the numbered invariants hold."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bridge.domain.decide import Decision, decide
from bridge.domain.delivery import MarkKey, MarkKeys
from bridge.domain.model import Batch, Generation
from bridge.domain.settle import Settled
from tests.history.checker import judge
from tests.history.verdict import Figures, Verdict
from tests.unit.engine.simulation import Simulation

SCHEDULES = int(os.environ.get("BRIDGE_SCHEDULES", "300"))
SEED = int(os.environ.get("BRIDGE_SCHEDULES_SEED", "20261122"))


def schedule(seed: int) -> tuple[Sequence[str], Verdict]:
    """What the inside saw broken, and what the outside judge says."""
    run = Simulation(seed)
    asyncio.run(run.run())
    return run.breaches, judge(run.events, [run.expectation])


def test_whatever_fails_nothing_is_lost_reordered_or_repeated_without_a_cause() -> None:
    """I1 to I5, I7, I8, I9."""
    figures = Figures()
    for seed in range(SEED, SEED + SCHEDULES):
        breaches, verdict = schedule(seed)
        assert not breaches, f"seed {seed}: {breaches}"
        assert not verdict.violations, f"seed {seed}: {verdict.explained()}"
        figures += verdict.figures
    print(figures)
    assert figures.kills["bridge"] > SCHEDULES / 10
    assert figures.resets > SCHEDULES / 10
    assert set(figures.duplicates) == {"unknown receipt", "lost mark", "bridge out: a mark not written"}


def forgiving(batch: Batch, *_: object) -> Settled:
    """Planted: whatever the receipts say, the position moves."""
    return Settled(sequence_id=batch.sequence_id, marks=())


def backwards(*given: Any) -> Decision:
    """Planted: the records of a batch are sent in the wrong order."""
    decision = decide(*given)
    return replace(decision, deliveries=decision.deliveries[::-1])


def generationless(identity: str, _: Generation) -> MarkKeys:
    """Planted: a reset does not pass the marks."""
    return MarkKeys(identity, Generation(0))


async def forgetful(*_: object) -> frozenset[MarkKey]:
    """Planted: no mark is ever asked for."""
    return frozenset()


@pytest.mark.parametrize(
    ("place", "planted", "found"),
    [
        ("bridge.engine.cycle.settle", forgiving, "I4 lost"),
        ("bridge.engine.cycle.decide", backwards, "I9 out_of_order"),
        ("bridge.domain.decide.MarkKeys", generationless, "I4 lost"),
        ("bridge.engine.cycle.marked_before", forgetful, "I5 duplicate_without_cause"),
        ("bridge.engine.desk.would_skip", lambda *_: False, "I4: a reset passed over"),
    ],
)
def test_a_planted_fault_is_found(
    place: str, planted: Callable[..., object], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, planted)
    for seed in range(SEED, SEED + SCHEDULES):
        breaches, verdict = schedule(seed)
        if found in f"{breaches} {verdict.explained()}":
            return
    pytest.fail(f"{SCHEDULES} schedules did not show {found}")
