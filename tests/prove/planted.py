"""Bugs that the exploration must find, each with the scenario in which it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

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


BUGS = {
    "advance before commit": Bug(planted_once.advance_before_commit),
    "a producer reused after a commit in doubt": Bug(planted_once.reuse, planted_once.reused),
    "a record of the generation before obeyed": Bug(planted_once.any_generation),
    "sequence ids compared by time": Bug(planted_once.by_time),
    "the position read before the fencing": Bug(_nothing, planted_once.reads_first, Scenario.ONCE_TWO),
    "no fencing": Bug(_nothing, planted_once.never_fenced, Scenario.ONCE_TWO),
    **{name: Bug(plant, scenario=Scenario.LEAST_RESETS) for name, plant in planted_least.PLANTS.items()},
}
