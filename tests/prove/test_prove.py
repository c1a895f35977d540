"""The bounded form of `make prove`, and the proof that it can tell: planted bugs are found."""

from __future__ import annotations

import os
from random import Random

import pytest

from tests.prove.explore import exhaustive, faults_at, points_of
from tests.prove.faults import Fault, Schedule, read, spelled
from tests.prove.planted import BUGS, Bug
from tests.prove.run import MakeTransactions, Outcome, Scenario, outcome_of
from tests.prove.tally import Tally, fewer, in_chunks, tallies

SCHEDULES = int(os.environ.get("BRIDGE_PROVE_SCHEDULES", "5000"))
JOBS = min(2, os.cpu_count() or 1)
SEED = int(os.environ.get("BRIDGE_PROVE_SEED", "20261122"))


def not_held(outcome: Outcome) -> str:
    return f"--only {outcome.scenario.value}:{spelled(outcome.schedule)}\n{outcome.why}"


@pytest.mark.timeout(300)
def test_no_fault_at_any_await_and_no_pair_of_them_loses_or_repeats_anything() -> None:
    """I1 to I9: every stop and every error, and by the seed a part of what `make prove` tries."""
    total = Tally()
    for tally in tallies(in_chunks(fewer(SCHEDULES, SEED)), JOBS):
        total.add(tally)
        assert not total.failures, f"seed {SEED}, {not_held(total.failures[0])}"
    assert total.tried == SCHEDULES


async def first_found(scenario: Scenario, transactions: MakeTransactions) -> Schedule | None:
    """The first schedule that shows a violation."""
    trace = (await outcome_of(scenario, {}, transactions)).trace
    tried = list(exhaustive(scenario, list(trace)))
    Random(SEED).shuffle(tried)
    for schedule in [{}, *tried]:
        if (await outcome_of(scenario, schedule, transactions)).why:
            return schedule
    return None


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
async def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    assert await first_found(bug.scenario, bug.transactions) is not None


async def test_every_await_of_a_pass_and_of_a_reset_is_struck() -> None:
    outside = {"load", "save", "saved", "fetch", "fetched", "advance", "advanced", "reset", "was reset"}
    once = {"initialise", "read", "begin", "append", "commit", "answer"}
    least = {"marked?", "marked", "publish", "append", "answers", "mark", "kept"}
    assert set(await points_of(Scenario.ONCE_RESETS)) == outside | once
    assert set(await points_of(Scenario.LEAST_RESETS)) == outside | least
    assert Fault.LATE_4 in faults_at(Scenario.ONCE_RESETS, "advance")
    assert Fault.FREEZE_8 in faults_at(Scenario.ONCE_TWO, "commit")
    assert Fault.STRAGGLE_9 in faults_at(Scenario.LEAST_TWO, "append")


@pytest.mark.parametrize("scenario", [Scenario.ONCE_RESETS, Scenario.LEAST_RESETS])
async def test_a_run_is_the_same_every_time(scenario: Scenario) -> None:
    """Or a schedule could not be replayed."""
    schedule = read("31=stop,60=error")
    runs = [await outcome_of(scenario, schedule) for _ in range(2)]
    assert runs[0].trace == runs[1].trace
    assert len(runs[0].trace) > 170
    assert read(spelled(schedule)) == schedule


async def test_a_repeat_in_at_least_once_has_a_cause_that_is_named() -> None:
    """I5: killed between the ack and the mark."""
    trace = await points_of(Scenario.LEAST_RESETS)
    outcome = await outcome_of(Scenario.LEAST_RESETS, {trace.index("mark"): Fault.STOP})
    assert not outcome.why
    assert outcome.verdict is not None
    assert outcome.verdict.figures.duplicates["bridge out: a mark not written"] > 0
