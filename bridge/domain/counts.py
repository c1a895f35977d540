"""A census as its owner shows it to the other replicas: the numbers, without the rules, which those have too (D19)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bridge.domain.census import Census, CensusTaken
from bridge.domain.model import TriggerName
from bridge.domain.rules import RuleSet

TALLIES_MAX = 40
"""Of the thresholds: both histograms of so many are some tens of kilobytes at most, now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a `Threshold` has counted."""

    shown: Sequence[int]
    decided: Sequence[int]
    taken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What `owner` had counted by its time `at`: as `CensusTaken`, of its first thresholds.

    `rules` names the rule set they were counted under, so that nobody takes them for counts of another one.
    """

    name: TriggerName
    owner: str
    at: datetime
    rules: str
    since: datetime
    results: int
    counted: int
    left_out: int
    tallies: Sequence[Tally]


def counts_of(name: TriggerName, census: Census, owner: str, at: datetime) -> Counts:
    """To be shown. What is more than can be shown is left out, and counted as that."""
    taken = census.taken()
    shown = taken.thresholds[:TALLIES_MAX]
    return Counts(
        name=name,
        owner=owner,
        at=at,
        rules=rules_id(census.rules),
        since=taken.since,
        results=taken.results,
        counted=taken.counted,
        left_out=taken.left_out + len(taken.thresholds) - len(shown),
        tallies=tuple(Tally(shown=each.shown, decided=each.decided, taken=each.taken) for each in shown),
    )


def taken_of(rules: RuleSet, counts: Counts) -> CensusTaken | None:
    """The census again, under rules of one's own; None where they are not those it was counted under."""
    if counts.rules != rules_id(rules):
        return None
    thresholds = [
        replace(threshold, shown=tally.shown, decided=tally.decided, taken=tally.taken)
        for threshold, tally in zip(Census(rules, counts.since).taken().thresholds, counts.tallies, strict=False)
    ]
    return CensusTaken(
        since=counts.since,
        results=counts.results,
        counted=counts.counted,
        left_out=counts.left_out,
        thresholds=thresholds,
    )


def rules_id(rules: RuleSet) -> str:
    """The same in every process of a release for rules that ask the same; it tells nothing of them."""
    # Conditions are plain data without sets or maps, whose spelling is the same everywhere.
    return hashlib.sha256(repr((rules.mode.value, rules.routes)).encode()).hexdigest()[:32]
