"""Zombies before the judge: what they excuse, for how long and in which mode, and what they never do (D15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.history.checker import ZOMBIE, judge
from tests.history.events import Advanced, Event, Fetched, Killed, Part, Published, ResetDone, Zombie
from tests.history.simulate import TRIGGER
from tests.history.test_checker import ALL, A, B, C, advanced, codes, fetched, published, whole

ONCE = replace(ALL, exactly_once=True)
WOKE_MS, GONE_MS = 100, 110
AT_WORK = Zombie(at_ms=WOKE_MS, until_ms=GONE_MS, trigger=TRIGGER)
OTHERS = replace(AT_WORK, trigger="org1/collateral/other")


def repeated(at_ms: float) -> list[Event]:
    """A once more, long advanced past."""
    return [*whole(), published(at_ms, A, 7)]


@pytest.mark.parametrize("at_ms", [WOKE_MS, 105, GONE_MS])
def test_a_repeat_within_the_window_has_its_cause_and_is_counted(at_ms: float) -> None:
    """I5."""
    verdict = judge([*repeated(at_ms), AT_WORK], [ALL])
    assert verdict.violations == ()
    assert verdict.figures.duplicates == {ZOMBIE: 1}


@pytest.mark.parametrize("at_ms", [WOKE_MS - 2, GONE_MS + 1])
def test_a_repeat_before_or_behind_the_window_is_found(at_ms: float) -> None:
    assert codes([*repeated(at_ms), AT_WORK]) == {"repeated_after_advance"}


def test_a_zombie_of_another_trigger_excuses_nothing() -> None:
    assert codes([*repeated(105), OTHERS]) == {"repeated_after_advance"}


def test_nothing_excuses_a_repeat_in_exactly_once() -> None:
    """I4: its transaction is shut out by the next owner's."""
    assert codes([*repeated(105), AT_WORK], ONCE) == {"repeated_after_advance"}
    early = [*whole()[:3], published(25, A, 7), *whole()[3:]]
    causes: list[Event] = [Zombie(at_ms=0, until_ms=99, trigger=TRIGGER), Killed(at_ms=22, who=Part.BRIDGE)]
    assert codes([*early, *causes]) == frozenset()
    assert codes([*early, *causes], ONCE) == {"duplicate_without_cause"}


def test_a_clean_run_in_exactly_once_is_clean_whatever_befell_it() -> None:
    assert codes([*whole(), AT_WORK, Killed(at_ms=22, who=Part.KAFKA)], ONCE) == frozenset()


def test_the_owners_copy_behind_the_zombies_is_excused_too() -> None:
    """The zombie was first, the owner's came when its page was long served."""
    events = [*whole()[:5], published(44, C, 2), published(50, C, 3), advanced(60, "s3")]
    assert codes(events) == {"duplicate_without_cause"}
    assert codes([*events, Zombie(at_ms=43, until_ms=45, trigger=TRIGGER)]) == frozenset()


def test_only_a_zombie_may_write_in_the_generation_before_and_only_while_it_is_one() -> None:
    """I3."""
    expectation = replace(ALL, generations={0: [A, B, C], 1: [A, B, C]})
    events = [
        *whole(),
        ResetDone(at_ms=90, trigger=TRIGGER, to="r", generation=1),
        fetched(92, A, B, C, start="r"),
        *(published(93 + at, each, 10 + at, generation=1) for at, each in enumerate((A, B, C))),
        advanced(99, "s3"),
        published(105, C, 20),
    ]
    assert codes(events, expectation) == {"generation_too_late", "repeated_after_advance"}
    assert codes([*events, AT_WORK], expectation) == frozenset()
    assert "generation_too_late" in codes([*events, AT_WORK], replace(expectation, exactly_once=True))
    assert "generation_too_late" in codes([*events, replace(AT_WORK, at_ms=107)], expectation)


FOREVER = Zombie(at_ms=0, until_ms=float("inf"), trigger=TRIGGER)


def without(uid: str) -> list[Event]:
    return [each for each in whole() if not (isinstance(each, Published) and each.uid == uid)]


@pytest.mark.parametrize(
    ("events", "code"),
    [
        (without("u2"), "lost"),
        ([*without("u2"), published(40, B, 1)], "advanced_before_ack"),
        ([*without("u1"), published(25, A, 9)], "out_of_order"),
        ([*whole(), replace(published(70, A, 9), topic="elsewhere")], "unexpected_record"),
        ([*whole(), replace(published(70, A, 9), uid="u9")], "wrong_uid"),
        ([*whole(), replace(published(70, A, 9), ce_id="new")], "two_ids"),
        ([*whole(), replace(published(70, A, 9), partition=1)], "key_in_two_partitions"),
        ([*whole(), advanced(70, "s1")], "position_backwards"),
        ([*whole(), advanced(70, "elsewhere")], "advanced_to_nowhere"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_zombie_excuses_repeats_and_nothing_else(events: Sequence[Event], code: str) -> None:
    assert code in codes([*events, FOREVER])


# Two at work (I6)


def by(worker: str, event: Event) -> Event:
    assert isinstance(event, Fetched | Advanced)
    return replace(event, worker=worker)


def taken_over(*, zombie_fetches: bool = True) -> list[Event]:
    """The first worker falls asleep behind its fetch; the second one does it all; the first wakes up and asks."""
    woken = [by("one", fetched(105, C, start="b1"))] if zombie_fetches else []
    return [
        by("one", fetched(5, A, B, batch_id="b1")),
        *(by("two", each) if isinstance(each, Fetched | Advanced) else each for each in whole()),
        *woken,
        by("two", fetched(120, start="s3", batch_id="s3")),
    ]


def test_the_fetch_of_a_zombie_is_forgiven_within_its_window() -> None:
    assert codes(taken_over(zombie_fetches=False)) == frozenset()
    assert codes(taken_over()) == {"workers_overlap"}
    assert codes([*taken_over(), AT_WORK]) == frozenset()
    assert codes([*taken_over(), AT_WORK], ONCE) == frozenset()


@pytest.mark.parametrize("zombie", [OTHERS, replace(AT_WORK, at_ms=106), replace(AT_WORK, until_ms=104)])
def test_the_fetch_of_a_zombie_is_found_outside_of_it(zombie: Zombie) -> None:
    assert codes([*taken_over(), zombie]) == {"workers_overlap"}


def test_an_advance_of_a_zombie_is_never_forgiven() -> None:
    assert codes([*taken_over(), by("one", advanced(106, "s3")), AT_WORK]) == {"workers_overlap"}


def test_a_worker_that_has_just_got_the_trigger_is_no_zombie_of_it() -> None:
    """Its first fetch begins its term also where another one's window is open: whoever comes back then overlaps it."""
    events = [*taken_over(zombie_fetches=False), by("three", fetched(105, C, start="b1")), AT_WORK]
    assert codes(events) == frozenset()
    assert codes([*events, by("two", fetched(130, start="s3", batch_id="s3"))]) == {"workers_overlap"}
