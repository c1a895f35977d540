"""The judge is judged: clean histories pass, and each planted fault is found under its invariant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.history.checker import judge
from tests.history.events import (
    Advanced,
    Event,
    Expectation,
    Expected,
    Fetched,
    Killed,
    LostMark,
    Outage,
    Part,
    Published,
    ResetDone,
    UnknownReceipt,
    Zombie,
)
from tests.history.simulate import TRIGGER, Run, Simulation
from tests.history.timeline import BadHarnessError
from tests.history.verdict import Verdict

DICE = st.builds(Random, st.integers(0, 2**32 - 1))
Kind = TypeVar("Kind", bound=Event)
Choice = TypeVar("Choice")


def simulated(dice: Random, results: int = 25, trouble: float = 0.15) -> Run:
    return Simulation(dice, results, trouble).run()


def verdict_of(run: Run, events: Sequence[Event] | None = None) -> Verdict:
    return judge(run.events if events is None else events, [run.expectation])


def of_kind(events: Sequence[Event], kind: type[Kind]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


def swapped(events: Sequence[Event], old: Event, new: Event) -> list[Event]:
    return [new if event is old else event for event in events]


def sole(events: Sequence[Event]) -> list[Published]:
    """Records that were appended once."""
    records = of_kind(events, Published)
    appends = Counter((record.topic, record.ce_id) for record in records)
    return [record for record in records if appends[record.topic, record.ce_id] == 1]


def chosen(dice: Random, among: Sequence[Choice]) -> Choice:
    assume(among)
    return dice.choice(among)


# Clean


@settings(max_examples=300, deadline=None)
@given(dice=DICE, results=st.integers(0, 40), trouble=st.floats(0, 0.4))
def test_a_correct_worker_is_found_clean_whatever_befalls_it(dice: Random, results: int, trouble: float) -> None:
    run = simulated(dice, results, trouble)
    verdict = verdict_of(run)
    assert not verdict.violations, verdict.explained()
    records = of_kind(run.events, Published)
    repeats = len(records) - len({record.ce_id for record in records})
    assert sum(verdict.figures.duplicates.values()) == repeats
    assert verdict.figures.kills["bridge"] == len(of_kind(run.events, Killed))


def test_the_simulation_reaches_what_it_is_for() -> None:
    """Repeats by every cause, resets, lost answers and positions past the last result are among its histories."""
    runs = [simulated(Random(seed), 40, 0.2) for seed in range(60)]
    figures = [verdict_of(run).figures for run in runs]
    causes = {cause for each in figures for cause in each.duplicates}
    assert causes >= {
        "bridge out: a mark not written",
        "kafka out: a receipt not known",
        "unknown receipt",
        "lost mark",
    }
    assert max(each.resets for each in figures) >= 2
    assert any(not event.ok for run in runs for event in of_kind(run.events, Advanced))
    assert any(event.sequence_id.startswith("batch") for run in runs for event in of_kind(run.events, Advanced))


# Planted faults, in whatever history


@settings(max_examples=100, deadline=None)
@given(dice=DICE)
def test_a_lost_record_is_found(dice: Random) -> None:
    """I4."""
    run = simulated(dice)
    gone = chosen(dice, of_kind(run.events, Published))
    current = max(run.expectation.generations)
    assume(gone.generation == current)
    left = [event for event in run.events if not (isinstance(event, Published) and event.ce_id == gone.ce_id)]
    assert "lost" in verdict_of(run, left).codes


@settings(max_examples=100, deadline=None)
@given(dice=DICE)
def test_an_advance_before_the_ack_is_found(dice: Random) -> None:
    """I1: the record is there in the end, but came after the position had moved past it."""
    run = simulated(dice, trouble=0.05)
    late = chosen(dice, [each for each in sole(run.events) if each.generation == max(run.expectation.generations)])
    past = max(event.at_ms for event in of_kind(run.events, Advanced))
    events = swapped(run.events, late, replace(late, append_time_ms=past + 10))
    codes = verdict_of(run, events).codes
    assert "advanced_before_ack" in codes
    assert "lost" not in codes


@settings(max_examples=100, deadline=None)
@given(dice=DICE)
def test_a_reordering_of_one_key_is_found(dice: Random) -> None:
    """I9."""
    run = simulated(dice)
    first = chosen(dice, [each for each in sole(run.events) if each.key is not None])
    lane = (first.topic, first.partition, first.generation, first.key)
    others = [
        each
        for each in sole(run.events)
        if (each.topic, each.partition, each.generation, each.key) == lane and each.sequence_id != first.sequence_id
    ]
    second = chosen(dice, others)
    events = swapped(run.events, first, replace(first, offset=second.offset))
    events = swapped(events, second, replace(second, offset=first.offset))
    assert "out_of_order" in verdict_of(run, events).codes


@settings(max_examples=100, deadline=None)
@given(dice=DICE, later_ms=st.integers(0, 2))
def test_a_duplicate_without_a_cause_is_found(dice: Random, later_ms: int) -> None:
    """I5."""
    run = simulated(dice, trouble=0)
    twice = chosen(dice, of_kind(run.events, Published))
    again = replace(twice, offset=twice.offset + 1000, append_time_ms=twice.append_time_ms + later_ms)
    assert verdict_of(run, [*run.events, again]).codes & {"duplicate_without_cause", "repeated_after_advance"}


@settings(max_examples=100, deadline=None)
@given(dice=DICE)
def test_a_repeat_after_the_advance_is_found_whatever_else_happened(dice: Random) -> None:
    """I5: a cause excuses a repeat of what is still to be advanced past, nothing older."""
    run = simulated(dice)
    twice = chosen(
        dice, [e for e in of_kind(run.events, Published) if e.generation == max(run.expectation.generations)]
    )
    end_ms = max(event.at_ms for event in of_kind(run.events, Advanced)) + 10
    again = replace(twice, offset=twice.offset + 1000, append_time_ms=end_ms)
    excuse = Killed(at_ms=end_ms - 5, who=Part.BRIDGE)
    assert "repeated_after_advance" in verdict_of(run, [*run.events, excuse, again]).codes


@settings(max_examples=100, deadline=None)
@given(dice=DICE, off_ms=st.sampled_from([-20, 0, 20]))
def test_only_while_a_zombie_was_at_work_may_a_repeat_follow_the_advance(dice: Random, off_ms: int) -> None:
    """I5: and it excuses nothing before or behind it."""
    run = simulated(dice, trouble=0)
    twice = chosen(dice, of_kind(run.events, Published))
    end_ms = max(event.at_ms for event in of_kind(run.events, Advanced)) + 100
    again = replace(twice, offset=twice.offset + 1000, append_time_ms=int(end_ms))
    zombie = Zombie(at_ms=end_ms + off_ms - 5, until_ms=end_ms + off_ms + 5, trigger=TRIGGER)
    verdict = verdict_of(run, [*run.events, zombie, again])
    assert bool(verdict.violations) is bool(off_ms), verdict.explained()


@settings(max_examples=50, deadline=None)
@given(dice=DICE)
def test_a_zombie_does_not_excuse_a_loss(dice: Random) -> None:
    run = simulated(dice, trouble=0)
    lost = chosen(dice, sole(run.events))
    zombie = Zombie(at_ms=0, until_ms=float("inf"), trigger=TRIGGER)
    assert "lost" in verdict_of(run, [zombie, *(each for each in run.events if each is not lost)]).codes


@settings(max_examples=100, deadline=None)
@given(dice=DICE, wrong=st.sampled_from(["rpa.urgent", "rpa.trades", "rpa.nobody"]))
def test_a_record_on_a_wrong_topic_is_found(dice: Random, wrong: str) -> None:
    """I4."""
    run = simulated(dice)
    astray = chosen(dice, of_kind(run.events, Published))
    assume(astray.topic != wrong)
    events = swapped(run.events, astray, replace(astray, topic=wrong, offset=astray.offset + 1000))
    assert "unexpected_record" in verdict_of(run, events).codes


@settings(max_examples=100, deadline=None)
@given(dice=DICE)
def test_a_position_that_goes_backwards_is_found(dice: Random) -> None:
    """I3."""
    run = simulated(dice)
    back = chosen(dice, run.expectation.generations[max(run.expectation.generations)][:-1])
    end_ms = max(event.at_ms for event in of_kind(run.events, Advanced)) + 10
    moved = Advanced(at_ms=end_ms, trigger=TRIGGER, sequence_id=back.sequence_id)
    assert "position_backwards" in verdict_of(run, [*run.events, moved]).codes
    assert not verdict_of(run, [*run.events, replace(moved, is_late=True)]).violations


@settings(max_examples=100, deadline=None)
@given(dice=DICE)
def test_a_record_of_the_generation_before_is_found(dice: Random) -> None:
    """I3: position and generation belong together."""
    run = simulated(dice, 40)
    assume(len(run.expectation.generations) > 1)
    mixed = chosen(dice, [each for each in of_kind(run.events, Published) if each.generation > 0])
    older = replace(mixed, generation=mixed.generation - 1)
    assert "generation_too_late" in verdict_of(run, swapped(run.events, mixed, older)).codes


@settings(max_examples=100, deadline=None)
@given(dice=DICE)
def test_a_record_of_a_generation_that_has_not_begun_is_found(dice: Random) -> None:
    """I3."""
    run = simulated(dice, 40)
    assume(len(run.expectation.generations) > 1)
    mixed = chosen(dice, [each for each in of_kind(run.events, Published) if each.generation == 0])
    newer = replace(mixed, generation=1)
    assert "generation_too_early" in verdict_of(run, swapped(run.events, mixed, newer)).codes


@settings(max_examples=100, deadline=None)
@given(dice=DICE)
def test_overlapping_workers_are_found(dice: Random) -> None:
    """I6."""
    run = simulated(dice)
    fetches = of_kind(run.events, Fetched)
    assume(len(fetches) > 1 and fetches[-2].worker != "worker-1")
    events = swapped(run.events, fetches[-1], replace(fetches[-1], worker="worker-1"))
    assert "workers_overlap" in verdict_of(run, events).codes


# By hand, where each word of the verdict is pinned


A, B, C = (Expected(sequence_id=f"s{n}", uid=f"u{n}", routes={"r": "t"}) for n in (1, 2, 3))
ALL = Expectation(trigger=TRIGGER, generations={0: [A, B, C]})


def fetched(at_ms: float, *results: Expected, batch_id: str = "", start: str = "start") -> Fetched:
    ids = tuple(each.sequence_id for each in results)
    return Fetched(at_ms=at_ms, trigger=TRIGGER, from_sequence_id=start, sequence_ids=ids, batch_id=batch_id or ids[-1])


def published(at_ms: float, of: Expected, offset: int, generation: int = 0) -> Published:
    return Published(
        topic="t",
        partition=0,
        offset=offset,
        append_time_ms=at_ms,
        ce_id=f"{of.sequence_id}/{generation}",
        trigger=TRIGGER,
        generation=generation,
        route="r",
        sequence_id=of.sequence_id,
        uid=of.uid,
        key=b"k",
    )


def advanced(at_ms: float, to: str, *, ok: bool = True) -> Advanced:
    return Advanced(at_ms=at_ms, trigger=TRIGGER, sequence_id=to, ok=ok)


def whole() -> list[Event]:
    return [
        fetched(10, A, B, batch_id="b1"),
        published(20, A, 0),
        published(21, B, 1),
        advanced(30, "b1"),
        fetched(40, C, start="b1"),
        published(50, C, 2),
        advanced(60, "s3"),
    ]


def codes(events: Sequence[Event], expectation: Expectation = ALL) -> frozenset[str]:
    return judge(events, [expectation]).codes


def test_a_plain_run_is_clean_and_counted() -> None:
    verdict = judge(whole(), [ALL])
    assert verdict.violations == ()
    assert (verdict.figures.results, verdict.figures.records, verdict.figures.first_deliveries) == (3, 3, 3)
    assert verdict.figures.advances == 2


def test_a_violation_names_its_invariant_and_its_record() -> None:
    broken = [event for event in whole() if not (isinstance(event, Published) and event.uid == "u2")]
    (violation,) = judge(broken, [ALL]).violations
    assert (violation.invariant, violation.code) == ("I4", "lost")
    assert "s2" in violation.about


def test_what_was_not_reached_is_owed_only_by_a_drained_run() -> None:
    begun = whole()[:4]
    assert codes(begun) == {"lost"}
    assert codes(begun, replace(ALL, drained=False)) == frozenset()


def test_an_advance_that_took_no_effect_covers_nothing() -> None:
    events: list[Event] = [fetched(10, A), advanced(15, "s1", ok=False), *whole()]
    assert codes(events) == frozenset()


def test_an_advance_with_a_lost_answer_counts_as_done() -> None:
    """What took effect is judged, not what the worker heard of it."""
    early = [replace(e, at_ms=20.5) if isinstance(e, Advanced) and e.sequence_id == "b1" else e for e in whole()]
    assert codes(early) == {"advanced_before_ack"}


def test_an_advance_to_what_was_never_served_is_found() -> None:
    assert "advanced_to_nowhere" in codes([*whole(), advanced(70, "elsewhere")])


def test_an_empty_page_is_advanced_past_without_moving_anything() -> None:
    filtered = Fetched(at_ms=61, trigger=TRIGGER, from_sequence_id="s3", sequence_ids=(), batch_id="b9")
    assert codes([*whole(), filtered, advanced(62, "b9")]) == frozenset()


@pytest.mark.parametrize(
    ("cause", "excused"),
    [
        (Killed(at_ms=22, who=Part.BRIDGE), True),
        (Killed(at_ms=22, who=Part.KAFKA), True),
        (Killed(at_ms=22, who=Part.REDIS), True),
        (Killed(at_ms=22, who=Part.PLATFORM), False),
        (Killed(at_ms=19, who=Part.BRIDGE), True),  # in flight while the process died
        (Killed(at_ms=9, who=Part.BRIDGE), False),  # before the fetch: another worker's death
        (Killed(at_ms=28, who=Part.BRIDGE), False),  # after the repeat
        (Outage(at_ms=1, until_ms=15, who=Part.KAFKA), True),
        (Outage(at_ms=1, until_ms=9, who=Part.KAFKA), False),
        (Outage(at_ms=1, until_ms=99, who=Part.PLATFORM), False),
        (UnknownReceipt(at_ms=22, trigger=TRIGGER), True),
        (UnknownReceipt(at_ms=22, trigger="org1/collateral/other"), False),
        (LostMark(at_ms=22, trigger=TRIGGER), True),
        (LostMark(at_ms=22, trigger="org1/collateral/other"), False),
    ],
)
def test_a_repeat_is_excused_by_what_befell_its_own_pass(cause: Event, excused: bool) -> None:
    """I5."""
    repeated: list[Event] = [*whole(), cause, replace(published(25, A, 7), offset=7)]
    verdict = judge(repeated, [ALL])
    assert verdict.codes == (frozenset() if excused else {"duplicate_without_cause"})
    assert sum(verdict.figures.duplicates.values()) == (1 if excused else 0)


def test_a_repeat_behind_later_records_of_its_key_is_no_disorder() -> None:
    """I9 is about first deliveries: a repeat is dropped by its id."""
    killed = Killed(at_ms=22, who=Part.BRIDGE)
    assert codes([*whole(), killed, published(25, A, 7), published(26, B, 8)]) == frozenset()


def test_one_key_in_two_partitions_is_found() -> None:
    astray = [replace(e, partition=1) if isinstance(e, Published) and e.uid == "u2" else e for e in whole()]
    assert codes(astray) == {"key_in_two_partitions"}


def test_a_replay_delivers_everything_again_under_new_ids() -> None:
    replayed = Expectation(trigger=TRIGGER, generations={0: [A, B, C], 1: [B, C]})
    events: list[Event] = [
        *whole(),
        ResetDone(at_ms=70, trigger=TRIGGER, to="r", generation=1),
        fetched(80, B, C, start="r"),
        published(90, B, 3, generation=1),
        published(91, C, 4, generation=1),
        advanced(99, "s3"),
    ]
    assert codes(events, replayed) == frozenset()
    swallowed = [event for event in events if not (isinstance(event, Published) and event.append_time_ms == 90)]
    assert codes(swallowed, replayed) == {"lost"}
    never_reset = [event for event in events if not isinstance(event, ResetDone)]
    assert {"generation_too_early", "position_backwards"} & codes(never_reset, replayed)


def test_what_a_generation_had_not_reached_is_owed_by_the_next() -> None:
    replayed = Expectation(trigger=TRIGGER, generations={0: [A, B, C], 1: [A, B, C]})
    events: list[Event] = [
        *whole()[:4],
        ResetDone(at_ms=35, trigger=TRIGGER, to="r", generation=1),
        fetched(40, A, B, C, start="r"),
        *(published(50 + n, each, 10 + n, generation=1) for n, each in enumerate((A, B, C))),
        advanced(60, "s3"),
    ]
    assert codes(events, replayed) == frozenset()


def test_a_record_that_lies_about_its_comment_or_shares_an_id_is_found() -> None:
    liar = [replace(e, uid="u9") if isinstance(e, Published) and e.uid == "u2" else e for e in whole()]
    assert codes(liar) == {"wrong_uid"}
    twin = [replace(e, ce_id="s1/0") if isinstance(e, Published) and e.uid == "u2" else e for e in whole()]
    assert "shared_id" in codes(twin)
    renamed = [*whole(), Killed(at_ms=22, who=Part.BRIDGE), replace(published(25, A, 7), ce_id="other")]
    assert "two_ids" in codes(renamed)


def test_records_of_no_trigger_are_found() -> None:
    assert codes([*whole(), replace(published(20, A, 9), trigger="org1/collateral/other")]) == {"unexpected_record"}


def test_an_expectation_that_contradicts_itself_is_refused() -> None:
    for generations in ({0: [A, B], 1: [A]}, {0: [A, A]}):
        with pytest.raises(BadHarnessError):
            judge([], [Expectation(trigger=TRIGGER, generations=generations)])
