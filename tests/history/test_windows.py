"""Replays with an end before the judge: what is owed, and what planted faults of them look like."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.history.events import Advanced, Event, Expectation, Published, ResetDone
from tests.history.simulate import TRIGGER
from tests.history.test_checker import A, B, C, advanced, codes, fetched, published, whole

WINDOW = Expectation(
    trigger=TRIGGER,
    generations={0: [A, B, C], 1: [A, B], 2: []},
    windows=frozenset({1}),
    whole=frozenset({1}),
)


def replayed() -> list[Event]:
    """A and B come again; then the trigger is back behind C."""
    return [
        *whole(),
        ResetDone(at_ms=70, trigger=TRIGGER, to="r", generation=1),
        fetched(80, A, B, C, start="r"),
        published(90, A, 3, generation=1),
        published(91, B, 4, generation=1),
        ResetDone(at_ms=99, trigger=TRIGGER, to="s3", generation=2),
        fetched(110, start="s3", batch_id="s3"),
    ]


def without(place: int) -> list[Event]:
    events = replayed()
    return [*events[:place], *events[place + 1 :]]


RESET = len(whole())


def test_a_replay_with_an_end_owes_its_window_and_nothing_else() -> None:
    assert codes(replayed(), WINDOW) == frozenset()


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        (lambda: without(RESET + 3), "lost"),
        (lambda: [*replayed(), published(120, C, 9, generation=2)], "unexpected_record"),
        (lambda: [*replayed()[:-2], published(92, C, 5, generation=1), *replayed()[-2:]], "unexpected_record"),
        (lambda: [*replayed(), published(120, B, 9, generation=1)], "generation_too_late"),
        (lambda: [*replayed()[:-2], advanced(99, "s1"), *replayed()[-1:]], "lost"),
    ],
    ids=["a result left out", "one again behind it", "one past its end", "one too late", "no way back, and part of it"],
)
def test_a_planted_fault_of_a_window_is_found(planted: Callable[[], list[Event]], found: str) -> None:
    events = planted()
    if found == "lost":
        events = [each for each in events if not (isinstance(each, Published) and each.append_time_ms == 91)]
    assert found in codes(events, WINDOW)


def test_a_replay_that_was_called_off_owes_what_it_had_advanced_past() -> None:
    called_off = replace(WINDOW, whole=frozenset())
    assert codes(without(RESET + 3), called_off) == frozenset()
    events = without(RESET + 3)
    past = [*events[: RESET + 3], advanced(95, "s2"), *events[RESET + 3 :]]
    assert "lost" in codes(past, called_off)
    assert sum(isinstance(each, Advanced) for each in past) == sum(isinstance(each, Advanced) for each in whole()) + 1
