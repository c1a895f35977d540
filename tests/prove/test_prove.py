"""The bounded form of `make prove`, and the proof that it can tell: planted bugs are found."""

from __future__ import annotations

import os
from random import Random

import pytest

from tests.prove.explore import exhaustive, faults_at, pairs, points_of
from tests.prove.faults import Fault, read, spelled
from tests.prove.planted import BUGS, Bug
from tests.prove.run import MakeTransactions, Scenario, outcome_of

PAIRS = int(os.environ.get("BRIDGE_PROVE_PAIRS", "400"))
"""In each scenario."""
SEED = int(os.environ.get("BRIDGE_PROVE_SEED", "20261122"))


@pytest.mark.parametrize("scenario", list(Scenario))
async def test_no_single_fault_at_any_await_loses_or_repeats_anything(scenario: Scenario) -> None:
    """I1 to I4, I7, I9."""
    trace = await points_of(scenario)
    for schedule in exhaustive(scenario, trace):
        outcome = await outcome_of(scenario, schedule)
        assert not outcome.why, f"{scenario.value} {spelled(schedule)}: {outcome.why}"


@pytest.mark.parametrize("scenario", list(Scenario))
async def test_no_pair_of_faults_loses_or_repeats_anything(scenario: Scenario) -> None:
    trace = await points_of(scenario)
    chosen = pairs(scenario, trace, Random(SEED))
    for _ in range(PAIRS):
        schedule = next(chosen)
        outcome = await outcome_of(scenario, schedule)
        assert not outcome.why, f"seed {SEED}, {scenario.value} {spelled(schedule)}: {outcome.why}"


async def first_found(scenario: Scenario, transactions: MakeTransactions) -> str:
    """The first schedule that shows a violation; empty where none does."""
    trace = (await outcome_of(scenario, {}, transactions)).trace
    for schedule in [{}, *exhaustive(scenario, list(trace))]:
        if (await outcome_of(scenario, schedule, transactions)).why:
            return spelled(schedule)
    return ""


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
async def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    assert await first_found(bug.scenario, bug.transactions)


async def test_every_await_of_a_pass_and_of_a_reset_is_struck() -> None:
    trace = set(await points_of(Scenario.RESETS))
    assert trace == {
        *("load", "save", "saved"),
        *("fetch", "fetched", "advance", "advanced", "reset", "was reset"),
        *("initialise", "read", "begin", "append", "commit", "answer"),
    }
    assert Fault.LATE_4 in faults_at(Scenario.RESETS, "advance")
    assert Fault.FREEZE_8 in faults_at(Scenario.TWO_PROCESSES, "commit")


async def test_a_run_is_the_same_every_time() -> None:
    """Or a schedule could not be replayed."""
    schedule = read("31=stop,60=error")
    runs = [await outcome_of(Scenario.RESETS, schedule) for _ in range(2)]
    assert runs[0].trace == runs[1].trace
    assert len(runs[0].trace) > 164
    assert read(spelled(schedule)) == schedule
