"""From measured runs to the table, and from the table to the verdicts on the targets. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.carry.race import Run

CEILING, AGAIN = "ceiling", "ceiling again"
LEAST, ONCE = "bridge at_least_once", "bridge exactly_once"
HANDWRITTEN, GATHERED, MQ_BRIDGE, QUIX = "hand-written loop", "FastStream gathered", "mq-bridge", "Quix Streams"

Round = Mapping[str, Run]
"""One run of each contestant, one behind the other on the same machine in the same minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Of one figure over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median=statistics.median(values), low=min(values), high=max(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One contestant: its own figures, and its ratios to the ceiling of the same round (see `the_ceiling`)."""

    name: str
    results_per_s: Spread
    cpu_us: Spread
    throughput_ratio: Spread
    cpu_ratio: Spread
    rss_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A target, what was measured for it, and whether it is met; None where nothing was measured, or nothing asked."""

    target: str
    measured: Spread | None
    met: bool | None


def lines(rounds: Sequence[Round]) -> list[Line]:
    """In the order of the first round."""
    return [_line(name, [each for each in rounds if name in each]) for name in rounds[0]]


def _line(name: str, rounds: Sequence[Round]) -> Line:
    return Line(
        name=name,
        results_per_s=Spread.of([each[name].results_per_s for each in rounds]),
        cpu_us=Spread.of([each[name].cpu_us for each in rounds]),
        throughput_ratio=Spread.of(to_the_ceiling(rounds, name, speed)),
        cpu_ratio=Spread.of(to_the_ceiling(rounds, name, cpu)),
        rss_bytes=max(each[name].rss_bytes for each in rounds),
    )


def speed(run: Run) -> float:
    """Results a second."""
    return run.results_per_s


def cpu(run: Run) -> float:
    """CPU microseconds of one result."""
    return run.cpu_us


def the_ceiling(of: Round) -> Run:
    """What the others are held against: both of its runs in the round as one, since a single one wavers by a third."""
    both = [of[name] for name in (CEILING, AGAIN) if name in of]
    return Run(
        contestant=CEILING,
        results=sum(run.results for run in both),
        wall_s=sum(run.wall_s for run in both),
        cpu_s=sum(run.cpu_s for run in both),
        rss_bytes=max(run.rss_bytes for run in both),
    )


def to_the_ceiling(rounds: Sequence[Round], name: str, figure: Callable[[Run], float]) -> list[float]:
    """Ratios round by round, where the contestant ran."""
    return [figure(each[name]) / figure(the_ceiling(each)) for each in rounds if name in each]


def ratios(rounds: Sequence[Round], one: str, other: str, figure: Callable[[Run], float]) -> list[float]:
    """Of two contestants, round by round, where both ran."""
    return [figure(each[one]) / figure(each[other]) for each in rounds if one in each and other in each]


def verdicts(rounds: Sequence[Round]) -> list[Verdict]:
    """On every target of the comparison."""
    return [
        at_least(f"{LEAST}: throughput at least 0.75 of the ceiling's", 0.75, to_the_ceiling(rounds, LEAST, speed)),
        at_most(f"{LEAST}: CPU per result at most 1.5 times the ceiling's", 1.5, to_the_ceiling(rounds, LEAST, cpu)),
        at_least(f"{ONCE}: throughput at least 0.65 of the ceiling's", 0.65, to_the_ceiling(rounds, ONCE, speed)),
        at_least(f"{LEAST}: at least 10 times the hand-written loop", 10.0, ratios(rounds, LEAST, HANDWRITTEN, speed)),
        *(
            at_most(f"{LEAST}: less CPU per result than {other}", 1.0, ratios(rounds, LEAST, other, cpu))
            for other in (GATHERED, MQ_BRIDGE, QUIX)
        ),
        between("the ceiling against itself: within 0.9 to 1.1", 0.9, 1.1, ratios(rounds, AGAIN, CEILING, cpu)),
    ]


def told(figure: str, measured: Sequence[float]) -> Verdict:
    """A figure without a target, beside those that have one."""
    return Verdict(target=figure, measured=Spread.of(measured), met=None)


def at_least(target: str, least: float, measured: Sequence[float]) -> Verdict:
    """By the median of the rounds."""
    return between(target, least, float("inf"), measured)


def at_most(target: str, most: float, measured: Sequence[float]) -> Verdict:
    """By the median of the rounds."""
    return between(target, float("-inf"), most, measured)


def between(target: str, least: float, most: float, measured: Sequence[float]) -> Verdict:
    """By the median of the rounds."""
    if not measured:
        return Verdict(target=target, measured=None, met=None)
    spread = Spread.of(measured)
    return Verdict(target=target, measured=spread, met=least <= spread.median <= most)
