"""From runs to verdicts: what the comparison says of figures that are known."""

from __future__ import annotations

import pytest

from tests.bench.carry.race import Run
from tests.bench.carry.verdicts import AGAIN, CEILING, LEAST, Round, lines, the_ceiling, verdicts


def a_run(name: str, wall_s: float, cpu_s: float) -> Run:
    return Run(contestant=name, results=1_000, wall_s=wall_s, cpu_s=cpu_s, rss_bytes=1)


def a_round(least_s: float) -> Round:
    return {
        CEILING: a_run(CEILING, wall_s=1.0, cpu_s=0.1),
        LEAST: a_run(LEAST, wall_s=least_s, cpu_s=0.4),
        AGAIN: a_run(AGAIN, wall_s=3.0, cpu_s=0.3),
    }


def test_the_ceiling_of_a_round_is_both_of_its_runs_as_one() -> None:
    both = the_ceiling(a_round(least_s=4.0))
    assert both.results_per_s == 500.0
    assert both.cpu_us == pytest.approx(200.0)


def test_a_verdict_is_on_the_median_of_the_rounds_and_one_without_a_run_is_none() -> None:
    rounds = [a_round(least_s=seconds) for seconds in (2.0, 2.5, 10.0)]
    by_target = {each.target: each for each in verdicts(rounds)}
    fast = by_target[f"{LEAST}: throughput at least 0.75 of the ceiling's"]
    assert fast.met
    assert fast.measured
    assert (fast.measured.low, fast.measured.median, fast.measured.high) == (0.2, 0.8, 1.0)
    assert by_target[f"{LEAST}: CPU per result at most 1.5 times the ceiling's"].met is False
    assert by_target[f"{LEAST}: less CPU per result than mq-bridge"].met is None


def test_a_line_shows_its_own_figures_and_its_ratio_to_both_runs_of_the_ceiling() -> None:
    least = next(line for line in lines([a_round(least_s=2.0)]) if line.name == LEAST)
    assert (least.results_per_s.median, least.throughput_ratio.median) == (500.0, 1.0)
