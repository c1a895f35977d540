"""Bugs that the exploration must find, each with the scenario in which it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bridge.domain.trail import Trail
from bridge.engine import foreign, worker
from tests.prove import planted_least, planted_once
from tests.prove.run import MakeTransactions, Scenario, sound


@dataclass(frozen=True, slots=True)
class Bug:
    """How to plant it, and where it shows."""

    plant: Callable[[pytest.MonkeyPatch], None]
    transactions: MakeTransactions = sound
    scenario: Scenario = Scenario.ONCE_RESETS


def _nothing(_: pytest.MonkeyPatch) -> None:
    return


def _blind(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(foreign, "is_behind", lambda *_: False)


def _forgetful(patch: pytest.MonkeyPatch) -> None:
    """Of a predecessor nothing is known."""
    patch.setattr(worker, "trail_of", lambda *_: Trail())


BUGS = {
    "advance before commit": Bug(planted_once.advance_before_commit),
    "a producer reused after a commit in doubt": Bug(planted_once.reuse, planted_once.reused),
    "a record of the generation before obeyed": Bug(planted_once.any_generation),
    "sequence ids compared by time": Bug(planted_once.by_time),
    "the position read before the fencing": Bug(_nothing, planted_once.reads_first, Scenario.ONCE_TWO),
    "no fencing": Bug(_nothing, planted_once.never_fenced, Scenario.ONCE_TWO),
    "a reset at the platform taken for a late repeat": Bug(_blind, scenario=Scenario.ONCE_FOREIGN),
    "what was reached not written down": Bug(_forgetful, scenario=Scenario.LEAST_FOREIGN),
    **{name: Bug(plant, scenario=Scenario.LEAST_RESETS) for name, plant in planted_least.PLANTS.items()},
}
