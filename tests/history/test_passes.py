"""The judge of overlaps is judged: what two workers did at once is found, what a zombie only read is not (I6, D15)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.history.events import Zombie
from tests.history.passes import Pass, overlaps, passes_of
from tests.history.simulate import TRIGGER
from tests.history.test_checker import A, B, published

OWNER = Pass(trigger=TRIGGER, trace="aa", from_ms=100, until_ms=160, fetches=1, advances=1, records=2)
WOKEN = Pass(trigger=TRIGGER, trace="bb", from_ms=115, until_ms=115, fetches=1, advances=0, records=0)
ZOMBIE = Zombie(at_ms=110, until_ms=130, trigger=TRIGGER)


def test_passes_one_after_the_other_do_not_overlap() -> None:
    then = replace(OWNER, trace="cc", from_ms=160, until_ms=200)
    assert overlaps([OWNER, then]) == []


def test_two_passes_at_once_are_found_also_behind_one_that_lies_within_the_first() -> None:
    inner = replace(OWNER, trace="cc", from_ms=110, until_ms=120)
    later = replace(OWNER, trace="dd", from_ms=150, until_ms=170)
    assert overlaps([OWNER, inner, later]) == [(OWNER, inner), (OWNER, later)]


def test_the_lone_fetch_of_a_zombie_is_no_overlap() -> None:
    assert overlaps([OWNER, WOKEN]) == [(OWNER, WOKEN)]
    assert overlaps([OWNER, WOKEN], [ZOMBIE]) == []


@pytest.mark.parametrize(
    "more",
    [{"advances": 1}, {"records": 1}, {"fetches": 2}, {"advances": 1, "fetches": 0}],
    ids=["advances", "publishes", "asks on", "advances what it had fetched before"],
)
def test_whatever_a_zombie_does_besides_is_found(more: dict[str, int]) -> None:
    assert overlaps([OWNER, replace(WOKEN, **more)], [ZOMBIE])  # type: ignore[arg-type]


@pytest.mark.parametrize("at_ms", [109, 131])
def test_a_lone_fetch_is_found_where_no_zombie_was_at_work(at_ms: float) -> None:
    assert overlaps([OWNER, replace(WOKEN, from_ms=at_ms, until_ms=at_ms)], [ZOMBIE])
    assert overlaps([OWNER, WOKEN], [replace(ZOMBIE, trigger="org1/collateral/other")])


def test_a_zombie_does_not_hide_the_two_that_overlap_around_it() -> None:
    second = replace(OWNER, trace="cc", from_ms=120, until_ms=170)
    assert overlaps([OWNER, WOKEN, second], [ZOMBIE]) == [(OWNER, second)]


def test_passes_are_read_from_the_platforms_log_and_the_records_headers() -> None:
    def line(op: str, at_ms: float, trace: str, fault: str | None = None) -> dict[str, object]:
        parent = f"00-{trace}-0102-01" if trace else ""
        return {"trigger": TRIGGER, "op": op, "at_ms": at_ms, "traceparent": parent, "fault": fault}

    log = [
        line("fetch", 115, "bb"),
        line("fetch", 100, "aa"),
        line("advance", 160, "aa"),
        line("advance", 900, "aa", "delay"),
        line("reset", 120, "aa"),
        line("fetch", 130, ""),
    ]
    records = [replace(published(120 + at, each, at), trace="aa") for at, each in enumerate((A, B))]
    assert passes_of(log, records) == {TRIGGER: [OWNER, WOKEN]}
